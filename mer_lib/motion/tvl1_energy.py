"""What our TV-L1 minimises, and the settings that its solvers share (``tvl1.py`` compiled, ``tvl1_torch.py`` torch).

The flow u = (u₁, u₂) minimises Σ_pixels λ D(u) + h(∇u₁) + h(∇u₂), from coarse to fine, the second frame warped by the
flow so far and linearised there. There are two data terms D:

- *brightness* stays, D = |I₁(x + u) − I₀(x)|: the energy of Zach, Pock and Bischof (2007), solved as they do, by
  thresholding ρ in turn with Chambolle's step of the dual variables.
- the *gradient* stays (Brox, Bruhn, Papenberg, Weickert: High accuracy optical flow estimation based on a theory for
  warping, 2004), because light on a moving face changes and its gradient hardly does. Each derivative's residual is
  divided by what it would be after a shift by one pixel (Zimmer, Bruhn, Weickert: Optic flow in harmony, 2011), so all
  texture counts alike and D is in pixels; D = √(Σ residual²) of the two, summed over a window of 5×5 pixels (Bruhn,
  Weickert, Schnörr: Lucas/Kanade meets Horn/Schunck, 2005), because skin's texture is weak against noise. Several roots
  at a pixel have no closed threshold: their weights are held at each warp, and the step of the quadratic is exact.

h is the length of the gradient, as in total variation, or, below ``huber``, its square over 2 ``huber`` (Werlberger et
al.: Anisotropic Huber-L1 optical flow, 2009): skin stretches smoothly, and total variation makes terraces of that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mer_lib.problems import BadInput

LEAST_SIDE = 16  # pixels of the pyramid's smallest level; below that a face shows nothing
WINDOW = 5  # pixels: side of the window of the gradient's data term
TEXTURE = 20.0  # weight of the gradient's D, in pixels, over that of grey levels: λ then means about the same for both
CONTRAST = 2.5  # grey levels a pixel²: second derivatives below it are mostly noise and are not brought up to strength
FLAT = 1e-6  # squared gradient (grey levels a pixel) below which a pixel has none
STEPS = 32  # a pixel, in steps that cv2.remap can address: a target between two of them would be rounded unseen
SOFTNESS = 0.5  # pixels: residuals below it count by their square


@dataclass(frozen=True)
class Settings:
    """The options of TV-L1, see :func:`mer_lib.motion.tvl1.tvl1`. Raises BadInput where one makes no sense."""

    constancy: str
    tau: float
    lambda_: float
    theta: float
    nscales: int
    scale_step: float
    warps: int
    epsilon: float
    inner_iterations: int
    outer_iterations: int
    median_filtering: int
    huber: float
    presmooth: float

    def __post_init__(self) -> None:
        sound = {
            "constancy": self.constancy in ("gradient", "brightness"),
            "tau": 0 < self.tau <= 1,
            "lambda_": self.lambda_ > 0,
            "theta": self.theta > 0,
            "nscales": self.nscales >= 1,
            "scale_step": 0 < self.scale_step < 1,
            "warps": self.warps >= 1,
            "epsilon": self.epsilon >= 0,
            "inner_iterations": self.inner_iterations >= 1,
            "outer_iterations": self.outer_iterations >= 1,
            "median_filtering": self.median_filtering in (1, 3, 5),
            "huber": self.huber >= 0,
            "presmooth": 0 <= self.presmooth <= 10,
        }
        for name, fine in sound.items():
            if not fine:
                raise BadInput(
                    f"TV-L1 cannot work with {name} = {getattr(self, name)!r}",
                    "constancy is gradient or brightness, median_filtering 1, 3 or 5, tau up to 1, scale_step below 1, "
                    "presmooth up to 10, counts from 1, all others above 0 (epsilon and huber may be 0)",
                )

    @property
    def exact(self) -> bool:
        """Whether the data term has a closed threshold: that of the brightness does."""
        return self.constancy == "brightness"

    @property
    def sigma(self) -> float:
        """Step of the dual variables."""
        return self.tau / self.theta

    @property
    def weight(self) -> float:
        """What multiplies the sums of the gradient's terms over the window."""
        return self.lambda_ * self.theta * TEXTURE / WINDOW**2

    @property
    def kernel(self) -> np.ndarray | None:
        """The Gaussian of ``presmooth``, (K,) float32; none for 0."""
        if self.presmooth == 0:
            return None
        reach = int(np.ceil(3 * self.presmooth))
        weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / self.presmooth) ** 2)
        return (weights / weights.sum()).astype(np.float32)

    def sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Height and width of the pyramid's levels, the finest first."""
        levels = [(height, width)]
        while len(levels) < self.nscales:
            smaller = tuple(round(side * self.scale_step) for side in levels[-1])
            if min(smaller) < LEAST_SIDE:
                break
            levels.append(smaller)
        return levels
