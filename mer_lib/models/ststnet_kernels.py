"""The compiled code behind ``ststnet_fused.py``: an epoch of STSTNet, forward, backward and the optimiser's steps.

- A pool window with its 3×3 convolutions is one tile of Winograd's minimal filtering F(3×3, 3×3) (Lavin, Gray 2016,
  doi:10.1109/CVPR.2016.435): its nine outputs need 25 products a channel instead of 81, and the samples, which never
  change, are transformed once instead of once an epoch. The 16 filters are the lanes of the vector unit.
- Only the pixel that wins its window has a gradient, and only its 3×3 patch is read again.
- Batch norm stands right behind the convolution, so mean and variance of its output follow from mean and covariance of
  the patches. They are known before a batch is run: norm and convolution are one convolution with other weights, and
  the dense part of its gradient is a few products of 27 numbers.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numba import uint64 as at  # an index that cannot be negative costs no check

DROPPED = 400  # units of the one dropout layer
SIDE, CHANNELS, FILTERS, POOLED, WINDOWS = 28, 3, 16, 25, 100
TAPS = 9 * CHANNELS  # row, column, channel of a 3×3 patch, in this order
LINE = 3 * (SIDE + 4)  # values of a row of the padded image
LANES = 16  # values read at a time; the last of an image's reads ends behind it
CONV, BIAS, GAMMA, BETA = slice(0, 432), slice(432, 448), slice(448, 464), slice(464, 480)
HEAD = 480  # of the parameters: POOLED × FILTERS a class, then a bias a class
EPS, MOMENTUM = 1e-5, 0.1  # of torch's batch norm
BETA1, BETA2, ADAM_EPS = 0.9, 0.999, 1e-8  # of torch's Adam

# F(3, 3) on the points 0, 1, -1, 2 and infinity: outputs = A'[(G weights) ⊙ (B' inputs)], in both directions.
_G = np.array([[3, 0, 0], [-3, -3, -3], [-1, 1, -1], [1, 2, 4], [0, 0, 6]]) / 6
B = np.array([[2, -1, -2, 1, 0], [0, -2, -1, 1, 0], [0, 2, -3, 1, 0], [0, -1, 0, 1, 0], [0, 2, -1, -2, 1]])


def _borders() -> tuple[np.ndarray, np.ndarray]:
    """(100, 9) −inf where a pixel of a pool window is outside the image, and (100,) where a window's patches begin."""
    inside = np.zeros(SIDE + 2)
    inside[[0, -1]] = -np.inf
    pixel = np.add.outer(3 * np.arange(10), np.arange(3))
    edge = inside[pixel][:, None, :, None] + inside[pixel][None, :, None, :]
    begin = np.add.outer(3 * LINE * np.arange(10), 9 * np.arange(10))
    return edge.reshape(WINDOWS, 9).astype(np.float32), begin.ravel().astype(np.uint32)


_EDGE, _BEGIN = _borders()
# Contraction only: sums keep their order, so that every processor with the instruction computes the same bytes.
_compiled = njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
_inlined = njit(inline="always", fastmath={"contract"}, error_model="numpy")
_merged = njit(cache=True, nogil=True, forceinline=True, fastmath={"contract"}, error_model="numpy")


@_compiled
def epoch(samples, y, weights, order, ends, keep, gain, norm, recipe, params, moments, running, steps, logits):
    """Every batch of one epoch; the sum of their losses."""
    edge, begin = _EDGE.copy(), _BEGIN.copy()  # beside the others on the heap: constants would be checked for overlap
    top, where = np.empty((WINDOWS, FILTERS), np.float32), np.empty((WINDOWS, FILTERS), np.uint32)
    features, slope, back = np.empty(DROPPED, np.float32), np.empty(DROPPED, np.float32), np.empty(DROPPED, np.float32)
    grad, rows = np.empty(len(params), np.float32), np.empty(3 * LANES * FILTERS, np.float32)
    error, lanes, loss, start = np.empty(len(weights), np.float32), np.empty(FILTERS, np.float32), 0.0, 0
    for end in ends:
        grad[:], rows[:], total = 0, 0, np.float32(0)
        for s in range(start, end):
            total += weights[y[order[s]]]
        mean, covariance = _patches(samples, order[start:end]) if norm else (np.zeros(TAPS), np.zeros((TAPS, TAPS)))
        scale, shift, inverse = _scales(params, norm, mean, covariance, (end - start) * SIDE * SIDE, running)
        filters = _transformed(params, scale)
        head, head_grad = params[HEAD:].copy(), grad[HEAD:]
        for s in range(start, end):
            row = order[s]
            _forward(samples.tiles[row], filters, shift, edge, begin, top, where)
            _pooled(top, keep[s] if len(keep) else keep.reshape(-1), gain, features, slope)
            weight = weights[y[row]] / total
            loss += _classified(features, slope, head, head_grad, y[row], weight, logits[s], error, lanes, back)
            _backward(samples.images[row], where, top, slope, rows, grad[BIAS])
        _collected(rows, params, norm, mean, covariance, scale, inverse, grad)
        steps += 1
        _updated(params, grad, moments, steps, recipe)
        start = end
    return loss


@_inlined
def _product(tile, filters, k, f):
    """One of the 25 products of a tile and a filter, over the channels."""
    return (
        tile[3 * k] * filters[48 * k + f]
        + tile[3 * k + 1] * filters[48 * k + 16 + f]
        + tile[3 * k + 2] * filters[48 * k + 32 + f]
    )


@_inlined
def _outputs(a, b, c, d, e):
    """A' of five values: three outputs."""
    plus, minus = b + c, b - c
    return a + plus + d, minus + np.float32(2) * d, plus + np.float32(4) * d + e


@_inlined
def _column(tile, filters, k, f):
    return _outputs(
        _product(tile, filters, k, f),
        _product(tile, filters, k + 1, f),
        _product(tile, filters, k + 2, f),
        _product(tile, filters, k + 3, f),
        _product(tile, filters, k + 4, f),
    )


@_merged
def _forward(tiles, filters, shift, edge, begin, top, where):
    """The largest convolution of each window and filter (100, 16), and where in the image its patch begins."""
    for i in range(WINDOWS):
        tile, out, best, place, first = tiles[i], edge[i], top[i], where[i], begin[i]
        for f in range(FILTERS):
            a = _column(tile, filters, 0, f)
            b = _column(tile, filters, 5, f)
            c = _column(tile, filters, 10, f)
            d = _column(tile, filters, 15, f)
            e = _column(tile, filters, 20, f)
            y0, y1, y2 = _outputs(a[0], b[0], c[0], d[0], e[0])
            y3, y4, y5 = _outputs(a[1], b[1], c[1], d[1], e[1])
            y6, y7, y8 = _outputs(a[2], b[2], c[2], d[2], e[2])
            most, at_most = y0 + out[0], np.uint32(0)
            most, at_most = _larger(most, at_most, y1 + out[1], np.uint32(3))
            most, at_most = _larger(most, at_most, y2 + out[2], np.uint32(6))
            most, at_most = _larger(most, at_most, y3 + out[3], np.uint32(LINE))
            most, at_most = _larger(most, at_most, y4 + out[4], np.uint32(LINE + 3))
            most, at_most = _larger(most, at_most, y5 + out[5], np.uint32(LINE + 6))
            most, at_most = _larger(most, at_most, y6 + out[6], np.uint32(2 * LINE))
            most, at_most = _larger(most, at_most, y7 + out[7], np.uint32(2 * LINE + 3))
            most, at_most = _larger(most, at_most, y8 + out[8], np.uint32(2 * LINE + 6))
            best[f] = most + shift[f]
            place[f] = first + at_most


@_inlined
def _larger(most, at_most, value, place):
    more = value > most
    return (value if more else most), (place if more else at_most)


@_merged
def _pooled(top, keep, gain, features, slope):
    """ReLU, average of 2×2 windows and dropout: features (400,) by position and filter; ``slope``: their factors."""
    dropping = len(keep) > 0
    for p in range(POOLED):
        i = p // 5 * 20 + p % 5 * 2
        for f in range(FILTERS):
            kept = np.float32(0.25) * gain
            if dropping and not keep[f * POOLED + p]:
                kept = np.float32(0)
            slope[p * FILTERS + f] = kept
        for f in range(FILTERS):
            a, b, c, d = top[i, f], top[i + 1, f], top[i + 10, f], top[i + 11, f]
            zero = np.float32(0)
            a, b = (zero if a < zero else a), (zero if b < zero else b)
            c, d = (zero if c < zero else c), (zero if d < zero else d)
            features[p * FILTERS + f] = slope[p * FILTERS + f] * ((a + b) + (c + d))


@_merged
def _classified(features, slope, head, grad, truth, weight, logits, error, lanes, back):
    """Logits and loss of one sample; adds to the head's gradient, and leaves in ``slope`` that of each window."""
    size, classes = DROPPED, len(logits)
    for k in range(classes):
        first = at(k * size)
        lanes[:] = 0
        for p in range(0, POOLED - 1, 4):
            o = at(p * FILTERS)
            for f in range(at(FILTERS)):
                i = o + f
                lanes[f] += (features[i] * head[first + i] + features[i + at(16)] * head[first + i + at(16)]) + (
                    features[i + at(32)] * head[first + i + at(32)] + features[i + at(48)] * head[first + i + at(48)]
                )
        total = head[classes * size + k]
        for f in range(at(FILTERS)):
            i = at(size - FILTERS) + f
            total += lanes[f] + features[i] * head[first + i]
        logits[k] = total
    most, sum_of = logits.max(), 0.0
    for k in range(classes):
        sum_of += math.exp(logits[k] - most)
    for k in range(classes):
        error[k] = weight * np.float32(math.exp(logits[k] - most) / sum_of - (1 if k == truth else 0))
        grad[classes * size + k] += error[k]
    back[:] = 0
    for k in range(classes):
        first, e = at(k * size), error[k]
        for i in range(at(size)):
            back[i] += e * head[first + i]
            grad[first + i] += e * features[i]
    for i in range(at(size)):
        slope[i] *= back[i]
    return weight * (most + math.log(sum_of) - logits[truth])


@_merged
def _backward(image, where, top, slope, rows, bias):
    """Adds the winning patches times their gradient: ``rows`` holds 3 rows of 16 a filter, 9 of which are the patch."""
    zero = np.float32(0)
    for p in range(POOLED):
        i = p // 5 * 20 + p % 5 * 2
        for f in range(FILTERS):
            g = slope[p * FILTERS + f]
            ga, gb = (g if top[i, f] > zero else zero), (g if top[i + 1, f] > zero else zero)
            gc, gd = (g if top[i + 10, f] > zero else zero), (g if top[i + 11, f] > zero else zero)
            a, b, c, d = at(where[i, f]), at(where[i + 1, f]), at(where[i + 10, f]), at(where[i + 11, f])
            o, one, two = at(3 * LANES * f), at(LINE), at(2 * LINE)
            for lane in range(at(LANES)):
                rows[o + lane] += (
                    ga * image[a + lane] + gb * image[b + lane] + (gc * image[c + lane] + gd * image[d + lane])
                )
                rows[o + lane + at(LANES)] += (
                    ga * image[a + lane + one]
                    + gb * image[b + lane + one]
                    + (gc * image[c + lane + one] + gd * image[d + lane + one])
                )
                rows[o + lane + at(2 * LANES)] += (
                    ga * image[a + lane + two]
                    + gb * image[b + lane + two]
                    + (gc * image[c + lane + two] + gd * image[d + lane + two])
                )
            bias[f] += ga + gb + (gc + gd)


@_compiled
def _patches(samples, rows):
    """Mean (27,) and covariance (27, 27) of the patches of a batch."""
    mean, covariance, count = np.zeros(TAPS), np.zeros((TAPS, TAPS)), len(rows) * SIDE * SIDE
    for row in rows:
        mean += samples.sums[row]
        covariance += samples.products[row]
    mean, covariance = mean / count, covariance / count
    return mean, covariance - mean.reshape(-1, 1) * mean


@_compiled
def _scales(params, norm, mean, covariance, count, running):
    """Factor and shift (16,) that turn the filters into filters with batch norm, and 1 / deviation."""
    scale, shift, inverse = np.ones(FILTERS), params[BIAS].copy(), np.ones(FILTERS)
    if norm:
        conv, bias, gamma, beta = params[CONV].reshape(TAPS, FILTERS), params[BIAS], params[GAMMA], params[BETA]
        for f in range(FILTERS):
            weights = conv[:, f].astype(np.float64)
            middle, variance = (weights * mean).sum(), 0.0
            for k in range(TAPS):
                variance += weights[k] * (covariance[k] * weights).sum()
            inverse[f] = 1 / math.sqrt(variance + EPS)
            scale[f] = gamma[f] * inverse[f]
            shift[f] = beta[f] - scale[f] * middle
            running[0, f] += MOMENTUM * (middle + bias[f] - running[0, f])
            running[1, f] += MOMENTUM * (variance * count / (count - 1) - running[1, f])
    return scale, shift, inverse


@_compiled
def _transformed(params, scale):
    """The filters, scaled, in the tiles' domain: (1200,) by column, row, channel and filter."""
    conv, found = params[CONV].reshape(3, 3, CHANNELS, FILTERS), np.zeros((5, 5, CHANNELS, FILTERS))
    for column in range(5):
        for row in range(5):
            for r in range(3):
                for s in range(3):
                    factor = _G[row, r] * _G[column, s]
                    for c in range(CHANNELS):
                        for f in range(FILTERS):
                            found[column, row, c, f] += factor * scale[f] * conv[r, s, c, f]
    return found.astype(np.float32).ravel()


@_compiled
def _collected(rows, params, norm, mean, covariance, scale, inverse, grad):
    """The convolution's gradient out of ``rows``, and through batch norm, by the chain rule over scale and shift.

    With batch norm the convolution's own bias has none: the mean takes it away again.
    """
    change = grad[CONV].reshape(TAPS, FILTERS)
    for f in range(FILTERS):
        for k in range(TAPS):
            change[k, f] = rows[f * 3 * LANES + k // 9 * LANES + k % 9]
    if norm:
        conv, shifted = params[CONV].reshape(TAPS, FILTERS), grad[BIAS]
        for f in range(FILTERS):
            weights, raw = conv[:, f].astype(np.float64), change[:, f].astype(np.float64)
            of_scale = (raw * weights).sum() - shifted[f] * (weights * mean).sum()
            for k in range(TAPS):
                spread = (covariance[k] * weights).sum() * of_scale * inverse[f] ** 2
                change[k, f] = scale[f] * (raw[k] - shifted[f] * mean[k] - spread)
            grad[GAMMA.start + f], grad[BETA.start + f] = of_scale * inverse[f], shifted[f]
            shifted[f] = 0


@_compiled
def _updated(params, grad, moments, steps, recipe):
    """One step of Adam, or of SGD with momentum, as torch takes it."""
    adam, lr, momentum, decay = recipe
    first, second = moments[0], moments[1]
    decay, momentum = np.float32(decay), np.float32(momentum)
    b1, b2, eps = np.float32(1 - BETA1), np.float32(1 - BETA2), np.float32(ADAM_EPS)
    size = np.float32(lr / (1 - BETA1**steps) if adam else lr)
    root = np.float32(math.sqrt(1 - BETA2**steps))
    for i in range(len(params)):
        g = grad[i] + decay * params[i]
        if adam:
            first[i] += b1 * (g - first[i])
            second[i] += b2 * (g * g - second[i])
            params[i] -= size * first[i] / (np.sqrt(second[i]) / root + eps)
        else:
            first[i] = momentum * first[i] + g
            params[i] -= size * first[i]
