"""Between arrays and tensors: features in, probabilities out, the optimiser, and torch's precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import nn

from mer_lib.learning.learner import Recipe
from mer_lib.learning.rows import Features, size

CHUNK, BYTES = 256, 1 << 23  # rows predicted at a time, and their size: bounds memory; the same rows, the same kernels


def features(x: np.ndarray, device: torch.device) -> torch.Tensor:
    """Channels second by name but last in memory, as they were stored: torch pools several times faster so."""
    rows = torch.tensor(x, device=device)
    return rows.movedim(-1, 1) if x.ndim > 2 else rows


def probabilities(model: nn.Module, x: Features, classes: int, device: torch.device) -> np.ndarray:
    """(n, K) float32; leaves the model as it came, in training or not."""
    training = model.training
    model.eval()
    step = max(1, min(CHUNK, BYTES * max(1, len(x)) // max(1, size(x))))
    with torch.inference_mode():
        parts = [softmax(model(features(x[at : at + step], device))) for at in range(0, len(x), step)]
    model.train(training)
    return np.concatenate(parts) if parts else np.zeros((0, classes), np.float32)


def softmax(logits: torch.Tensor) -> np.ndarray:
    """(..., K) float32."""
    return logits.float().softmax(-1).cpu().numpy()


def arrays(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """A state that no longer changes with the network."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in state.items()}


def precision(recipe: Recipe, device: torch.device) -> AbstractContextManager:
    """bfloat16 where torch deems it safe, on a GPU whose recipe allows it; its range needs no scaling of the loss."""
    if recipe.precision == "mixed" and device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()
