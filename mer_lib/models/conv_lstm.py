"""A convolutional LSTM that reads a sequence of maps from both ends."""

from __future__ import annotations

import torch
from torch import nn


class ConvLSTM(nn.Module):
    """(n, T, C, h, w) → (n, T, hidden, h, w): the state after each step. ``kernel`` is odd, maps keep their size.

    As paper A prints it (eq. 5), without the peepholes of Shi et al. (2015, doi:10.48550/arXiv.1506.04214); the first
    state and cell are 0. What the four gates (i, f, o, c, in this order) read of the input is one convolution over all
    steps; the biases are its own.
    """

    def __init__(self, channels: int, hidden: int, kernel: int = 3) -> None:
        super().__init__()
        self.read = nn.Conv2d(channels, 4 * hidden, kernel, padding=kernel // 2)
        self.recall = nn.Conv2d(hidden, 4 * hidden, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        read = self.read(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        states: list[torch.Tensor] = []
        cell = torch.zeros(())
        for gates in read.unbind(1):
            if states:
                gates = gates + self.recall(states[-1])
            i, f, o, c = gates.chunk(4, dim=1)
            new = i.sigmoid() * c.tanh()
            cell = f.sigmoid() * cell + new if states else new
            states.append(o.sigmoid() * cell.tanh())
        return torch.stack(states, dim=1)


class BiConvLSTM(nn.Module):
    """(n, T, C, h, w) → (n, T, 2 · hidden, h, w): at each step the state of what came before, then of what follows."""

    def __init__(self, channels: int, hidden: int, kernel: int = 3) -> None:
        super().__init__()
        self.onward = ConvLSTM(channels, hidden, kernel)
        self.backward = ConvLSTM(channels, hidden, kernel)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.onward(x), self.backward(x.flip(1)).flip(1)], dim=2)

    def ends(self, x: torch.Tensor) -> torch.Tensor:
        """(n, 2 · hidden, h, w): the state in which each direction has read the whole sequence."""
        return torch.cat([self.onward(x)[:, -1], self.backward(x.flip(1))[:, -1]], dim=1)
