"""Our TV-L1 in torch: the energy and the settings of ``tvl1.py``, all pairs of a batch in step, on CPU or CUDA.

Every operation on pixels is elementwise, a shift or an interpolation, so a pair's flow is the same in every batch and
differs from the compiled one by rounding only. A pair that has reached ``epsilon`` stands still while others go on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mer_lib.motion.tvl1_energy import CONTRAST, FLAT, SOFTNESS, STEPS, WINDOW, Settings
from mer_lib.registry import register

PIXELS = {"cuda": 1 << 24, "cpu": 1 << 20}  # of all pairs solved at once; each takes some 250 bytes
# Which two of nine values to sort, one after the other, so that the middle one ends up in the middle: Paeth (Median
# finding on a 3×3 grid, 1990), as Devillard writes it.
_MEDIAN_OF_9 = (
    (1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3),
    (5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2),
)  # fmt: skip


@register(
    "flow",
    title="TV-L1 (torch)",
    paper="Zach, Pock, Bischof: A duality based approach for realtime TV-L1 optical flow (2007)",
    doi="10.1007/978-3-540-74936-3_22",
)
def tvl1_torch(
    first: np.ndarray,
    second: np.ndarray,
    *,
    constancy: str = "gradient",
    tau: float = 0.25,
    lambda_: float = 0.2,
    theta: float = 0.45,
    nscales: int = 9,
    scale_step: float = 0.7,
    warps: int = 2,
    epsilon: float = 0.0,
    inner_iterations: int = 12,
    outer_iterations: int = 1,
    median_filtering: int = 3,
    huber: float = 0.015,
    presmooth: float = 0.65,
) -> np.ndarray:
    """TV-L1 flow on the graphics card, or on the processor where torch finds no CUDA: 'tvl1' for large amounts.

    Options are those of ``mer_lib.motion.tvl1.tvl1``. (N, H, W) uint8 frames → (N, H, W, 2) float32, pixels.
    """
    settings = Settings(
        constancy,
        tau,
        lambda_,
        theta,
        nscales,
        scale_step,
        warps,
        epsilon,
        inner_iterations,
        outer_iterations,
        median_filtering,
        huber,
        presmooth,
    )
    return solve(first, second, settings, "cuda" if torch.cuda.is_available() else "cpu")


def solve(first: np.ndarray, second: np.ndarray, settings: Settings, device: str) -> np.ndarray:
    """Flow of all pairs on a torch device. Shapes as above."""
    room = PIXELS["cuda" if torch.device(device).type == "cuda" else "cpu"]
    field = np.empty((*first.shape, 2), np.float32)
    at_once = max(1, room // first[0].size)
    with torch.inference_mode():
        for n in range(0, len(first), at_once):
            pair = (torch.from_numpy(np.ascontiguousarray(x[n : n + at_once])).to(device) for x in (first, second))
            field[n : n + at_once] = _solve(*pair, settings).permute(0, 2, 3, 1).cpu().numpy()
    return field


def _solve(first: Tensor, second: Tensor, settings: Settings) -> Tensor:
    """(N, H, W) uint8 → (N, 2, H, W) float32: u and v."""
    sizes = settings.sizes(*first.shape[1:])
    frames = torch.stack([first, second], dim=1).float()
    if not settings.exact:
        frames -= frames.mean(dim=(2, 3), keepdim=True)
    pyramid = [_blur(frames, settings.kernel)]
    for size in sizes[1:]:
        pyramid.append(_resize(pyramid[-1], size))
    flow = torch.zeros_like(pyramid[-1])
    for frames in reversed(pyramid):
        (height, width), (to_height, to_width) = flow.shape[2:], frames.shape[2:]
        if (height, width) != (to_height, to_width):
            grown = torch.tensor([to_width / width, to_height / height], device=flow.device)
            flow = _resize(flow, (to_height, to_width)) * grown.view(2, 1, 1)
        flow = _solve_level(flow, frames[:, :1], frames[:, 1:], settings)
    return flow


def _solve_level(flow: Tensor, first: Tensor, second: Tensor, settings: Settings) -> Tensor:
    """flow: (N, 2, H, W); first, second: (N, 1, H, W)."""
    height, width = first.shape[2:]
    grid = torch.stack(
        torch.meshgrid(torch.arange(width, device=flow.device), torch.arange(height, device=flow.device), indexing="xy")
    ).float()
    far = torch.tensor([width - 1.0, height - 1.0], device=flow.device).view(2, 1, 1)
    along_x, along_y = torch.zeros_like(flow), torch.zeros_like(flow)  # p of u and of v
    for _ in range(settings.warps):
        target = torch.round((grid + flow) * STEPS) / STEPS
        flow = target - grid
        told = ((target >= 0) & (target <= far)).all(dim=1, keepdim=True).float()
        where = (target * 2 / far - 1).permute(0, 2, 3, 1)
        warped = functional.grid_sample(second, where, mode="bicubic", padding_mode="border", align_corners=True)
        see = _see_brightness if settings.exact else _see_gradient
        move = see(flow, first, warped, told, settings)
        flow = _settle(flow, along_x, along_y, move, settings)
    return flow


def _see_brightness(flow: Tensor, first: Tensor, warped: Tensor, told: Tensor, settings: Settings) -> Callable:
    """The thresholding step as a function of the flow and of θ div p."""
    gradient = torch.cat(_derive(warped), dim=1)
    square = (gradient**2).sum(dim=1, keepdim=True)
    inverse = torch.where(square > FLAT, told / square, 0)
    rho = (warped - first - (gradient * flow).sum(dim=1, keepdim=True)) * inverse
    normal = gradient * inverse
    bound = settings.lambda_ * settings.theta

    def move(flow: Tensor, smooth: Tensor) -> Tensor:
        step = (rho + (normal * flow).sum(dim=1, keepdim=True)).clamp_(-bound, bound)
        return smooth.add_(flow).addcmul_(step, gradient, value=-1)

    return move


def _see_gradient(flow: Tensor, first: Tensor, warped: Tensor, told: Tensor, settings: Settings) -> Callable:
    """The step of the quadratic as a function of the flow and of θ div p."""
    ix, iy = _derive(warped)
    first_x, first_y = _derive(first)
    (a, b), c = _derive(ix), _derive(iy)[1]
    r, s = ix - first_x, iy - first_y
    n, m = 1 / (a * a + b * b + CONTRAST**2), 1 / (b * b + c * c + CONTRAST**2)
    weight = told * torch.rsqrt(n * r * r + m * s * s + SOFTNESS**2)
    n, m = n * weight, m * weight
    terms = (
        n * a * a + m * b * b,
        b * (n * a + m * c),
        n * b * b + m * c * c,
        n * a * r + m * b * s,
        n * b * r + m * c * s,
    )
    sums = _add_window(torch.cat(terms, dim=1)) * settings.weight
    a, b, c = sums[:, :1], sums[:, 1:2], sums[:, 2:3]
    u, v = flow[:, :1], flow[:, 1:]
    p, q = a * u + b * v - sums[:, 3:4], b * u + c * v - sums[:, 4:]
    a, c = a + 1, c + 1
    d = 1 / (a * c - b * b)
    straight, across = torch.cat([c * d, a * d], dim=1), -b * d
    shift = torch.cat([(c * p - b * q) * d, (a * q - b * p) * d], dim=1)

    def move(flow: Tensor, smooth: Tensor) -> Tensor:
        smooth += flow
        return torch.addcmul(shift, straight, smooth).addcmul_(across, smooth.flip(1))

    return move


def _settle(flow: Tensor, along_x: Tensor, along_y: Tensor, move: Callable, settings: Settings) -> Tensor:
    """The iterations of one warp; along_x and along_y, the two parts of p, change in place."""
    floor = (settings.sigma * settings.huber) ** 2 + FLAT**2
    least = settings.epsilon**2 * flow[0, 0].numel()
    going = torch.ones_like(flow[:, :1, :1, :1])
    for _ in range(settings.outer_iterations):
        filtered = going
        for _ in range(settings.inner_iterations):
            smooth = along_x + along_y
            smooth[..., 1:] -= along_x[..., :-1]
            smooth[..., 1:, :] -= along_y[..., :-1, :]
            moved = move(flow, smooth.mul_(settings.theta))
            x, y = torch.zeros_like(flow), torch.zeros_like(flow)
            torch.sub(moved[..., 1:], moved[..., :-1], out=x[..., :-1]).mul_(settings.sigma)
            torch.sub(moved[..., 1:, :], moved[..., :-1, :], out=y[..., :-1, :]).mul_(settings.sigma)
            fit = torch.addcmul(x * x, y, y).clamp_(min=floor).sqrt_().add_(1).reciprocal_()
            x.add_(along_x).mul_(fit)
            y.add_(along_y).mul_(fit)
            if least > 0:
                change = ((moved - flow) ** 2).sum(dim=(1, 2, 3), keepdim=True)
                moved, x, y = flow.lerp(moved, going), along_x.lerp(x, going), along_y.lerp(y, going)
                going = going * (change >= least)
            flow = moved
            along_x.copy_(x)
            along_y.copy_(y)
        if settings.median_filtering > 1:
            flow = flow.lerp(_median(flow, settings.median_filtering), filtered)
    return flow


def _shifted(pictures: Tensor, reach: int, dim: int) -> list[Tensor]:
    """The pictures (N, C, H, W) moved by −reach … reach pixels along a dimension, the border's pixels repeated."""
    sides = (reach, reach, 0, 0) if dim == -1 else (0, 0, reach, reach)
    wide = functional.pad(pictures, sides, mode="replicate")
    return [wide.narrow(dim, k, pictures.shape[dim]) for k in range(2 * reach + 1)]


def _derive(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives along x and y by the five-point rule."""
    found = []
    for dim in (-1, -2):
        far_before, before, _, after, far_after = _shifted(picture, 2, dim)
        found.append((8 * (after - before) - (far_after - far_before)) / 12)
    return found[0], found[1]


def _add_window(planes: Tensor) -> Tensor:
    for dim in (-1, -2):
        planes = sum(_shifted(planes, WINDOW // 2, dim))
    return planes


def _blur(pictures: Tensor, kernel: np.ndarray | None) -> Tensor:
    for dim in () if kernel is None else (-1, -2):
        views = _shifted(pictures, len(kernel) // 2, dim)
        pictures = sum(float(weight) * view for weight, view in zip(kernel, views, strict=True))
    return pictures


def _resize(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(pictures, size, mode="bilinear", align_corners=False)


def _median(fields: Tensor, side: int) -> Tensor:
    """The median over side × side pixels."""
    views = [view for rows in _shifted(fields, side // 2, -2) for view in _shifted(rows, side // 2, -1)]
    if side != 3:
        return torch.stack(views).median(dim=0).values
    for i, j in _MEDIAN_OF_9:
        views[i], views[j] = torch.minimum(views[i], views[j]), torch.maximum(views[i], views[j])
    return views[4]
