"""facenet-pytorch without torchvision: the two names it takes from there, for the time of its import.

No build of torchvision goes with a CPU build of torch on every index, and the detector needs one function of it,
non-maximum suppression, which is short. Where the real torchvision can be imported it is used.
"""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import torch


def import_mtcnn() -> type:
    """facenet_pytorch's MTCNN. The stand-in is seen by that package alone and leaves sys.modules with the import."""
    try:
        import torchvision.ops  # noqa: F401
        from facenet_pytorch import MTCNN
    except (ImportError, RuntimeError):  # RuntimeError: a CUDA build beside a CPU torch fails on its operators
        broken = {name for name in sys.modules if name.split(".")[0] == "torchvision"}
        for name in broken:
            del sys.modules[name]
        stand_in = _stand_in()
        sys.modules.update(stand_in)
        try:
            from facenet_pytorch import MTCNN
        finally:
            for name in stand_in:
                del sys.modules[name]
    return MTCNN


def _stand_in() -> dict[str, ModuleType]:
    names = ("torchvision", "torchvision.ops", "torchvision.ops.boxes", "torchvision.transforms")
    modules = {name: ModuleType(name) for name in (*names, "torchvision.transforms.functional")}
    modules["torchvision.ops.boxes"].batched_nms = batched_nms
    modules["torchvision.transforms"].functional = modules["torchvision.transforms.functional"]
    return modules


def batched_nms(boxes: torch.Tensor, scores: torch.Tensor, groups: torch.Tensor, threshold: float) -> torch.Tensor:
    """Positions (K,) of the boxes kept, best score first: greedy, exact, each group by itself.

    boxes: (N, 4) as x1, y1, x2, y2; scores: (N,); groups: (N,). A box goes when its intersection over union with a
    better one of its group exceeds ``threshold`` (compared in float64: at float32 ties at the threshold fall otherwise
    than in torchvision). Boxes of equal score keep their order.
    """
    corners, group = boxes.detach().cpu().numpy(), groups.cpu().numpy()
    rank = np.argsort(-scores.detach().cpu().numpy(), kind="stable")
    kept = np.zeros(len(rank), bool)
    for one in np.unique(group):
        of_group = rank[group[rank] == one]
        kept[of_group[_greedy(corners[of_group], threshold)]] = True
    return torch.as_tensor(rank[kept[rank]], device=boxes.device)


def _greedy(corners: np.ndarray, threshold: float) -> list[int]:
    """Positions kept of boxes (N, 4) that stand in falling order of score."""
    area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    left, kept = np.arange(len(corners)), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        low = np.maximum(corners[best, :2], corners[left, :2])
        high = np.minimum(corners[best, 2:], corners[left, 2:])
        common = np.clip(high - low, 0, None).prod(axis=1)
        with np.errstate(invalid="ignore"):  # two boxes without area have nothing in common: 0 / 0 keeps both
            overlap = (common / (area[best] + area[left] - common)).astype(np.float64)
        left = left[~(overlap > threshold)]
    return kept
