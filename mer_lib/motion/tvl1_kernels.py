"""The compiled inner loops of TV-L1 (``tvl1.py``): plain passes over contiguous rows that the compiler turns into SIMD.

All planes are float32 and flat, row after row without a gap; those of the flow and of the dual variables have a row of
room before and after. So neighbours are fixed offsets, no loop tests for a border, and one loop runs over many rows.
What the border demands is kept by the dual variables, which are zero in the last column (x part), in the last row (y
part) and in the room before the first row: Neumann's condition, and a divergence that is the gradient's adjoint. The
row after the last repeats it; the last column, whose right neighbour is another row's, is turned on its own.
NaN is treated as IEEE says; only rounding is left to the compiler (fused and reordered sums, reciprocal roots).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from mer_lib.motion.tvl1_energy import FLAT, STEPS

ROUNDING = {"contract", "arcp", "nsz", "reassoc", "afn"}
SPAN = 8192  # pixels that one pass covers before the next follows: all planes of so many fit into a core's own cache

_ZERO, _ONE = np.float32(0), np.float32(1)
_STEPS, _STEP = np.float32(STEPS), np.float32(1 / STEPS)
_EIGHT, _TWELFTH = np.float32(8), np.float32(1 / 12)
_FLAT = np.float32(FLAT)


@njit(cache=True, fastmath=ROUNDING, error_model="numpy")
def aim(u, v, x_at, y_at, told):
    """Where the flow (u, v) leads, in whole steps: the coordinates to read the second frame at, and u, v to match.

    All (H, W). told: 1 where that is inside the frame, so that the data tell something, else 0.
    """
    height, width = u.shape
    right, bottom = np.float32(width - 1), np.float32(height - 1)
    for y in range(height):
        row, to_x, to_y, inside, at_u, at_v = np.float32(y), x_at[y], y_at[y], told[y], u[y], v[y]
        for x in range(width):
            column = np.float32(x)
            px = np.rint((column + at_u[x]) * _STEPS) * _STEP
            py = np.rint((row + at_v[x]) * _STEPS) * _STEP
            to_x[x], to_y[x] = px, py
            at_u[x], at_v[x] = px - column, py - row
            inside[x] = _ONE if (px >= _ZERO) & (px <= right) & (py >= _ZERO) & (py <= bottom) else _ZERO


@njit(cache=True, fastmath=ROUNDING, error_model="numpy")
def derive(picture, along_x, along_y):
    """Derivatives of a picture (H, W) by the five-point rule (1, −8, 0, 8, −1)/12, the border's pixels repeated."""
    height, width = picture.shape
    padded = np.empty(width + 4, np.float32)
    for y in range(height):
        padded[2:-2] = picture[y]
        padded[:2] = picture[y, 0]
        padded[-2:] = picture[y, -1]
        far_left, left, right, far_right = padded[:-4], padded[1:-3], padded[3:-1], padded[4:]
        above, below = picture[max(y - 1, 0)], picture[min(y + 1, height - 1)]
        far_above, far_below = picture[max(y - 2, 0)], picture[min(y + 2, height - 1)]
        gx, gy = along_x[y], along_y[y]
        for x in range(width):
            gx[x] = (_EIGHT * (right[x] - left[x]) - (far_right[x] - far_left[x])) * _TWELFTH
            gy[x] = (_EIGHT * (below[x] - above[x]) - (far_below[x] - far_above[x])) * _TWELFTH


@njit(cache=True, fastmath=ROUNDING, error_model="numpy")
def brightness_terms(first, warped, ix, iy, told, u, v, planes):
    """What thresholding needs: ρ at u = 0, ∂I/∂x, ∂I/∂y and 1/|∇I|², which is 0 where the data tell nothing."""
    rho, gx, gy, inverse = planes[0], planes[1], planes[2], planes[3]
    for i in range(first.size):
        rho[i] = warped[i] - first[i] - ix[i] * u[i] - iy[i] * v[i]
        gx[i], gy[i] = ix[i], iy[i]
        square = ix[i] * ix[i] + iy[i] * iy[i]
        inverse[i] = told[i] / square if square > _FLAT else _ZERO


@njit(cache=True, fastmath=ROUNDING, error_model="numpy")
def gradient_terms(ixx, ixy, iyy, rx, ry, told, contrast, softness, terms):
    """Weighted products of the linearised constancy of ∂I/∂x and ∂I/∂y: the tensor (3 planes) and the vector (2)."""
    xx, xy, yy, bx, by = terms[0], terms[1], terms[2], terms[3], terms[4]
    floor, soft = contrast * contrast, softness * softness
    for i in range(rx.size):
        a, b, c, r, s = ixx[i], ixy[i], iyy[i], rx[i], ry[i]
        n, m = _ONE / (a * a + b * b + floor), _ONE / (b * b + c * c + floor)
        weight = told[i] / math.sqrt(n * r * r + m * s * s + soft)
        n, m = n * weight, m * weight
        xx[i] = n * a * a + m * b * b
        xy[i] = b * (n * a + m * c)
        yy[i] = n * b * b + m * c * c
        bx[i] = n * a * r + m * b * s
        by[i] = n * b * r + m * c * s


@njit(cache=True, fastmath=ROUNDING, error_model="numpy")
def window_sums(terms, size, half, sums):
    """Sums over 5×5 pixels of five planes, the border's pixels repeated; ``half`` is room for the sums along rows."""
    height, width = size
    end, two = height * width, 2 * width
    for k in range(5):
        plane, total = terms[k, :end], sums[k, :end]
        _add_five(plane[:-4], plane[1:-3], plane[2:-2], plane[3:-1], plane[4:], half[2 : end - 2])
        for i in range(0, end, width):
            row, line = plane[i : i + width], half[i : i + width]
            line[0] = 3 * row[0] + row[1] + row[2]
            line[1] = 2 * row[0] + row[1] + row[2] + row[3]
            line[-1] = 3 * row[-1] + row[-2] + row[-3]
            line[-2] = 2 * row[-1] + row[-2] + row[-3] + row[-4]
        for y in (0, 1, height - 2, height - 1):
            a, b, c = max(y - 2, 0) * width, max(y - 1, 0) * width, y * width
            d, e = min(y + 1, height - 1) * width, min(y + 2, height - 1) * width
            for x in range(width):
                total[c + x] = half[a + x] + half[b + x] + half[c + x] + half[d + x] + half[e + x]
        i, j = two, end - two
        above, below = half[i - width : j - width], half[i + width : j + width]
        _add_five(half[i - two : j - two], above, half[i:j], below, half[i + two : j + two], total[i:j])


@njit(cache=True, fastmath=ROUNDING, error_model="numpy")
def _add_five(a, b, c, d, e, total):
    for i in range(total.size):
        total[i] = a[i] + b[i] + c[i] + d[i] + e[i]


@njit(cache=True, fastmath=ROUNDING, error_model="numpy")
def invert(sums, scale, u, v, planes):
    """The proximal step of the data: planes of M (3) and of a shift (2) such that the flow's step is M·(u, v) + shift.

    sums: tensor J (3 planes) and vector b (2), which ``scale`` multiplies; u, v: the flow they were linearised at, u₀.
    So M = (1 + J)⁻¹, and the shift is M·(J u₀ − b).
    """
    xx, xy, yy, bx, by = sums[0], sums[1], sums[2], sums[3], sums[4]
    m0, m1, m2, s0, s1 = planes[0], planes[1], planes[2], planes[3], planes[4]
    for i in range(u.size):
        a, b, c = xx[i] * scale, xy[i] * scale, yy[i] * scale
        p = a * u[i] + b * v[i] - bx[i] * scale
        q = b * u[i] + c * v[i] - by[i] * scale
        a, c = a + _ONE, c + _ONE
        d = _ONE / (a * c - b * b)
        m0[i], m1[i], m2[i] = c * d, -b * d, a * d
        s0[i], s1[i] = (c * p - b * q) * d, (a * q - b * p) * d


@njit(cache=True, error_model="numpy")
def iterate(flow, dual, planes, size, exact, theta, bound, sigma, huber, count, least):
    """Up to ``count`` iterations of the primal-dual scheme, in place. Returns the last one's squared change, summed.

    flow: u and v, dual: p of u (x and y part) and of v, all with their room; planes: as the terms give them.
    exact: threshold ρ (4 planes; ``bound`` = λθ) rather than take the step of a quadratic (5 planes).
    theta, sigma: steps of the flow and of the dual variables; huber: ε, in pixels a pixel.
    It ends before ``count`` once the squared change is below ``least``.
    """
    height, width = size
    end = width + height * width
    rows = max(1, SPAN // width)
    change = _ZERO
    for _ in range(count):
        change = _ZERO
        for top in range(0, height, rows):
            bottom = min(height, top + rows)
            if exact:
                change += _threshold(flow, dual, planes, width, top, bottom, theta, bound)
            else:
                change += _step(flow, dual, planes, width, top, bottom, theta)
            # The last row of the span needs the one below, which the next span is to move first.
            i = width + max(0, top - 1) * width
            j = end if bottom == height else bottom * width
            for k in range(2):
                u, px, py = flow[k], dual[2 * k], dual[2 * k + 1]
                if j == end:
                    u[end : end + width] = u[end - width : end]
                edge = _turned_edge(u, py, i + width - 1, j, width, sigma, huber)
                _turn(u[i:j], u[i + 1 : j + 1], u[i + width : j + width], px[i:j], py[i:j], sigma, huber)
                px[i + width - 1 : j : width] = _ZERO
                py[i + width - 1 : j : width] = edge
        if change < least:
            break
    return change


@njit(cache=True, fastmath=ROUNDING, error_model="numpy")
def _threshold(flow, dual, planes, width, top, bottom, theta, bound):
    """u ← TH(u) + θ div p on some rows (Zach et al. 2007): without branches, TH's step is −clip(ρ/|∇I|², ±λθ)·∇I."""
    i, j = width + top * width, width + bottom * width
    u, v = flow[0, i:j], flow[1, i:j]
    pu, pu_left, qu, qu_above = dual[0, i:j], dual[0, i - 1 : j - 1], dual[1, i:j], dual[1, i - width : j - width]
    pv, pv_left, qv, qv_above = dual[2, i:j], dual[2, i - 1 : j - 1], dual[3, i:j], dual[3, i - width : j - width]
    i, j = i - width, j - width
    rho, gx, gy, inverse = planes[0, i:j], planes[1, i:j], planes[2, i:j], planes[3, i:j]
    change = _ZERO
    for x in range(u.size):
        step = (rho[x] + gx[x] * u[x] + gy[x] * v[x]) * inverse[x]
        step = min(max(step, -bound), bound)
        a = theta * ((pu[x] - pu_left[x]) + (qu[x] - qu_above[x])) - step * gx[x]
        b = theta * ((pv[x] - pv_left[x]) + (qv[x] - qv_above[x])) - step * gy[x]
        u[x] += a
        v[x] += b
        change += a * a + b * b
    return change


@njit(cache=True, fastmath=ROUNDING, error_model="numpy")
def _step(flow, dual, planes, width, top, bottom, theta):
    """u ← M·(u + θ div p) + shift on some rows."""
    i, j = width + top * width, width + bottom * width
    u, v = flow[0, i:j], flow[1, i:j]
    pu, pu_left, qu, qu_above = dual[0, i:j], dual[0, i - 1 : j - 1], dual[1, i:j], dual[1, i - width : j - width]
    pv, pv_left, qv, qv_above = dual[2, i:j], dual[2, i - 1 : j - 1], dual[3, i:j], dual[3, i - width : j - width]
    i, j = i - width, j - width
    m0, m1, m2, s0, s1 = planes[0, i:j], planes[1, i:j], planes[2, i:j], planes[3, i:j], planes[4, i:j]
    change = _ZERO
    for x in range(u.size):
        a = u[x] + theta * ((pu[x] - pu_left[x]) + (qu[x] - qu_above[x]))
        b = v[x] + theta * ((pv[x] - pv_left[x]) + (qv[x] - qv_above[x]))
        to_u, to_v = m0[x] * a + m1[x] * b + s0[x], m1[x] * a + m2[x] * b + s1[x]
        a, b = to_u - u[x], to_v - v[x]
        change += a * a + b * b
        u[x], v[x] = to_u, to_v
    return change


@njit(cache=True, fastmath=ROUNDING, error_model="numpy")
def _turn(u, right, below, px, py, sigma, huber):
    """p ← (p + σ∇u)/(1 + σ max(ε, |∇u|)): Chambolle's step; it rests at ∇u/|∇u|, or at ∇u/ε where that is shorter."""
    # Never 0: the compiler makes the root of a reciprocal one.
    floor = sigma * huber * sigma * huber + _FLAT * _FLAT
    for x in range(u.size):
        a, b = sigma * (right[x] - u[x]), sigma * (below[x] - u[x])
        fit = _ONE / (_ONE + math.sqrt(max(floor, a * a + b * b)))
        px[x], py[x] = (px[x] + a) * fit, (py[x] + b) * fit


@njit(cache=True, fastmath=ROUNDING, error_model="numpy")
def _turned_edge(u, py, start, end, width, sigma, huber):
    """What ``_turn`` is to make of the last column's py, where nothing changes along x: (rows,)."""
    floor = sigma * huber + _FLAT
    turned = np.empty((end - start + width - 1) // width, np.float32)
    for row in range(turned.size):
        i = start + row * width
        b = sigma * (u[i + width] - u[i])
        turned[row] = (py[i] + b) / (_ONE + max(floor, abs(b)))
    return turned
