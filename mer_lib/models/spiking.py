"""The spiking branch of paper A: changes over time become spikes, and spiking neurons read them."""

from __future__ import annotations

import snntorch
import torch
from snntorch import surrogate
from torch import nn
from torch.nn import functional as F


class SpikingBranch(nn.Module):
    """(n, C, T, h, w) → (n, width): how often the neurons of each feature map fire.

    Input becomes spikes where it changes (:func:`spikes`). A 3-D convolution over ``kernel`` steps and 3×3 positions,
    every second one, batch normalised, is the current of a map of leaky integrate-and-fire neurons: their potential
    keeps the share ``decay`` of itself a step, they fire above 1 and are then lowered by 1. Their mean rate over
    positions and steps is read by two dense layers. Nothing is drawn; gradients pass the threshold by the derivative of
    a fast sigmoid (Neftci et al. 2019, doi:10.1109/MSP.2019.2931595).
    """

    def __init__(self, channels: int, filters: int, width: int, *, kernel: int, decay: float, factor: float) -> None:
        super().__init__()
        self._factor = factor
        self.current = nn.Sequential(
            nn.Conv3d(channels, filters, (kernel, 3, 3), (1, 2, 2), (kernel // 2, 1, 1), bias=False),
            nn.BatchNorm3d(filters),  # or few neurons would ever come near their threshold
        )
        self.neuron = snntorch.Leaky(decay, spike_grad=surrogate.fast_sigmoid())
        self.dense = nn.Sequential(nn.Linear(filters, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dense(self.rates(x))

    def rates(self, x: torch.Tensor) -> torch.Tensor:
        """(n, filters) within 0 and 1: spikes a neuron and step."""
        current = self.current(spikes(x, self._factor))
        potential, fired = torch.zeros_like(current[:, :, 0]), []
        for step in current.unbind(2):
            spike, potential = self.neuron(step, potential)
            fired.append(spike.mean((2, 3)))
        return torch.stack(fired).mean(0)


def spikes(x: torch.Tensor, factor: float) -> torch.Tensor:
    """(n, C, T, h, w) → the same shape of −1, 0 and 1: which positions fell or rose since the step before.

    A change counts from the mean of all changes of its sample and channel plus ``factor`` times their standard
    deviation, both of the absolute values: the threshold-based representation of Kasabov (2019). The first step has
    none, and nor has a channel that never changes.
    """
    with torch.no_grad():
        change = x.diff(dim=2)
        size, over = change.abs(), (2, 3, 4)
        mean, square = size.mean(over, keepdim=True), change.square().mean(over, keepdim=True)
        least = mean + factor * (square - mean.square()).clamp_min(0).sqrt()
        fired = change.sign().mul_(size >= least.clamp_min(1e-6))
        return F.pad(fired, (0, 0, 0, 0, 1, 0))
