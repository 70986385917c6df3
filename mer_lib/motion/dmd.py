"""Sparsity-promoting dynamic mode decomposition: a clip as few modes that grow, fade and oscillate, and back as frames.

Dynamic mode decomposition writes frame t as Σ_k a_k φ_k μ_k^t with fixed pictures φ_k (modes), complex numbers μ_k and
amplitudes a_k. An L1 penalty on the amplitudes picks the modes worth keeping. Le Ngo, See and Phan (Sparsity in
dynamics of spontaneous subtle emotions, IEEE TAC 8(3), 2017, 10.1109/TAFFC.2016.2523996) rebuild shorter clips of
micro-expressions from them.

[1] Jovanović, Schmid, Nichols: Sparsity-promoting dynamic mode decomposition (2014), 10.1063/1.4863670
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mer_lib.problems import BadInput

_RANK = 1e-6  # of the largest singular value: below it there is nothing but rounding
_ROUNDS = 40  # bisections of the penalty
_STEPS = 500  # of ADMM, at most …
_NEAR = 1e-5  # … or until both residuals, relative to the amplitudes, are this small


@dataclass(frozen=True)
class Modes:
    """x_t ≈ Σ_k amplitude_k · mode_k · eigenvalue_k^t, t = 0 … T − 1.

    eigenvalues, amplitudes: (R,) complex; pictures: (R, D) complex modes of unit length, D values a frame.
    """

    eigenvalues: np.ndarray
    amplitudes: np.ndarray
    pictures: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """(R,) bool: the modes whose amplitude is not zero."""
        return self.amplitudes != 0

    def at(self, times: np.ndarray) -> np.ndarray:
        """(T', D) float64: the frames at any real times (T',), counted in frames from the first."""
        kept = self.kept
        powers = self.eigenvalues[kept] ** np.asarray(times, float)[:, None]
        return ((powers * self.amplitudes[kept]) @ self.pictures[kept]).real


def sparse(values: np.ndarray, count: int, *, modes: int | None = None) -> np.ndarray:
    """A clip rebuilt from its strongest modes at ``count`` evenly spaced times.

    (T, …) → (count, …), T ≥ 3; 8-bit values are rounded to 8 bits again, others become float32 (float64 stays).
    modes: at most this many are kept; default ``count``, since a sequence of that length bears no more. (The papers
    give no rule for the number; conjugate modes stay together.) Raises BadInput for a shorter clip, a count below
    1, or values that are not finite.
    """
    if len(values) < 3 or count < 1:
        raise BadInput(f"{count} frames from the modes of {len(values)}", "modes need 3 frames at least; ask for 1 up")
    flat = values.reshape(len(values), -1).astype(np.float64)
    if not np.isfinite(flat).all():
        raise BadInput("NaN or infinite values have no modes", "repair or drop what holds them")
    rebuilt = decompose(flat, keep=modes or count).at(np.linspace(0, len(values) - 1, count))
    rebuilt = rebuilt.reshape(count, *values.shape[1:])
    if values.dtype == np.uint8:
        return np.clip(np.rint(rebuilt), 0, 255).astype(np.uint8)
    return rebuilt.astype(values.dtype if values.dtype == np.float64 else np.float32)


def decompose(values: np.ndarray, *, keep: int | None = None) -> Modes:
    """Dynamic modes of a sequence, with the amplitudes that fit it best.

    values: (T, D) float, T ≥ 3. keep: at most so many modes get an amplitude (the nearest pair where one mode alone
    would not be real); None: all do.
    """
    course, scale, pictures = np.linalg.svd(values[:-1], full_matrices=False)  # V, Σ and U* of [1]
    rank = int((scale > _RANK * max(scale[0], np.finfo(float).tiny)).sum())
    course, scale, pictures = course[:, :rank], scale[:rank], pictures[:rank]
    step = pictures @ values[1:].T @ course / scale  # F_dmd: from one frame to the next, in the span of the frames
    eigenvalues, vectors = np.linalg.eig(step) if rank else (np.zeros(0, complex), np.zeros((0, 0), complex))
    order = np.lexsort((eigenvalues.imag, -np.abs(eigenvalues)))
    eigenvalues, vectors = eigenvalues[order].astype(complex), vectors[:, order].astype(complex)
    powers = eigenvalues[:, None] ** np.arange(len(values) - 1)  # V_and
    quadratic = (vectors.conj().T @ vectors) * (powers @ powers.conj().T).conj()  # P
    linear = np.einsum("kt,tr,rk->k", powers, course * scale, vectors).conj()  # q
    amplitudes = np.zeros(rank, complex)
    chosen = np.ones(rank, bool)
    if keep is not None and keep < rank:
        chosen = _strongest(quadratic, linear, _partners(eigenvalues), keep)
    amplitudes[chosen] = np.linalg.lstsq(quadratic[np.ix_(chosen, chosen)], linear[chosen], rcond=None)[0]
    return Modes(eigenvalues, amplitudes, vectors.T @ pictures)


def _partners(eigenvalues: np.ndarray) -> np.ndarray:
    """(R,) the position of each eigenvalue's complex conjugate; a real one is its own."""
    return np.abs(eigenvalues[:, None] - eigenvalues.conj()).argmin(axis=1)


def _strongest(quadratic: np.ndarray, linear: np.ndarray, partners: np.ndarray, keep: int) -> np.ndarray:
    """(R,) bool: the modes that the smallest penalty with at most ``keep`` survivors leaves.

    The penalty is found by bisection of its logarithm: at 2·max|q| every amplitude is zero, far below it none is.
    """
    few, many = np.log(2 * np.abs(linear).max()), np.log(2e-9 * np.abs(linear).max())
    best, fallback = np.zeros(len(linear), bool), np.ones(len(linear), bool)
    for _ in range(_ROUNDS):
        middle = (few + many) / 2
        found = _survivors(quadratic, linear, np.exp(middle))
        found |= found[partners]  # of two conjugate modes rounding must not lose one
        if found.sum() <= keep:
            few, best = middle, found if found.sum() > best.sum() else best
        else:
            many, fallback = middle, found if found.sum() < fallback.sum() else fallback
        if best.sum() == keep:
            break
    return best if best.any() else fallback


def _survivors(quadratic: np.ndarray, linear: np.ndarray, penalty: float) -> np.ndarray:
    """(R,) bool: amplitudes that are not zero where α*Pα − 2 Re(q*α) + penalty·Σ|α| is least, by ADMM [1, eq. 13]."""
    weight = np.trace(quadratic).real / len(linear)  # ρ of [1], at the scale of P
    inverse = np.linalg.inv(quadratic + weight / 2 * np.eye(len(linear)))
    thin, dual = np.zeros(len(linear), complex), np.zeros(len(linear), complex)
    for _ in range(_STEPS):
        full = inverse @ (linear + weight / 2 * (thin - dual))
        before, length = thin, np.abs(full + dual)
        shrunk = np.maximum(1 - penalty / weight / np.maximum(length, np.finfo(float).tiny), 0)
        thin = shrunk * (full + dual)
        dual = dual + full - thin
        size = _NEAR * max(np.linalg.norm(full), np.finfo(float).tiny)
        if np.linalg.norm(full - thin) < size and np.linalg.norm(thin - before) < size:
            break
    return thin != 0
