"""What a network costs: its trained weights, and the arithmetic of one answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mer_lib.registry import Entry


def costs(entry: Entry, classes: int, options: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, int]:
    """``parameters`` and ``flops`` of a registered network with these options, for samples of a ``shape`` (..., C)."""
    network = entry.load()(classes, **options)
    count = sum(p.numel() for p in network.parameters())
    return {"parameters": count, "flops": flops(network, shape)}


def flops(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Floating-point operations of the answer for one sample (..., C), an addition and a multiplication counted as two.

    Those of convolutions, dense layers and other products of matrices, which are nearly all; not of pools, norms and
    what else works value by value.
    """
    device = next(network.parameters()).device
    x = torch.zeros(1, *shape, device=device).movedim(-1, 1).contiguous()
    training = network.training
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=FUSED) as counter:
        network.eval()(x)
    network.train(training)
    return counter.get_total_flops()


def _recurrent(x, into, back, *rest, **named) -> int:
    """Of a layer of an LSTM over (T, N, D), one operation of torch on a CPU; its weights are (4H, D) and (4H, H)."""
    steps, batch, _ = x
    return 2 * steps * batch * (into[0] * into[1] + back[0] * back[1])


FUSED = {torch.ops.aten.mkldnn_rnn_layer: _recurrent}  # what the counter does not look into
