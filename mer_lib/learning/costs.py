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


def kept_mb(network: nn.Module, shape: tuple[int, ...]) -> float:
    """MB of what a network in training keeps of one sample (..., C) for its gradient: a job needs up to twice as much.

    The memory of the process grows by the gradients of these values as well, while they are computed.
    """
    device, kept = next(network.parameters()).device, []
    for count in (2, 4):
        seen: dict[int, int] = {}

        def keep(tensor: torch.Tensor, seen: dict[int, int] = seen) -> torch.Tensor:
            storage = tensor.untyped_storage()
            seen[storage._cdata] = storage.nbytes()
            return tensor

        x = torch.zeros(count, *shape, device=device).movedim(-1, 1).contiguous()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            network.train()(x)
        kept.append(sum(seen.values()))
    return (kept[1] - kept[0]) / 2 / 1e6


def _recurrent(x, into, back, *rest, **named) -> int:
    """Of a layer of an LSTM over (T, N, D), one operation of torch on a CPU; its weights are (4H, D) and (4H, H)."""
    steps, batch, _ = x
    return 2 * steps * batch * (into[0] * into[1] + back[0] * back[1])


FUSED = {torch.ops.aten.mkldnn_rnn_layer: _recurrent}  # what the counter does not look into
