"""Strain of fields whose tensor is known by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_lib.motion.strain import strain, tensor
from mer_lib.problems import BadInput

Y, X = np.mgrid[:9, :13].astype(np.float32)


def linear(a, b, c, d):
    """The field u = a x + b y, v = c x + d y."""
    return np.stack([a * X + b * Y, c * X + d * Y], axis=-1)


@pytest.mark.parametrize(
    ("field", "magnitude"),
    [
        (np.broadcast_to(np.float32([3, -2]), (9, 13, 2)), 0),  # translation
        (linear(0, -0.05, 0.05, 0), 0),  # rotation
        (linear(0, 0.2, 0, 0), np.sqrt(0.5 * 0.2**2)),  # simple shear
        (linear(0, 0.1, 0.1, 0), np.sqrt(0.5 * 0.2**2)),  # pure shear
        (linear(0.1, 0, 0, 0.1), np.sqrt(2 * 0.1**2)),  # expansion
        (linear(0.3, 0, 0, 0), 0.3),  # stretch
        (linear(0.1, 0.2, 0.4, -0.3), np.sqrt(0.01 + 0.09 + 0.5 * 0.36)),
    ],
)
def test_linear_fields(field, magnitude):
    np.testing.assert_allclose(strain(field), magnitude, atol=1e-6)


def test_components_of_a_linear_field():
    np.testing.assert_allclose(
        tensor(linear(0.1, 0.2, 0.4, -0.3)), np.broadcast_to([0.1, -0.3, 0.3], (9, 13, 3)), atol=1e-6
    )


def test_a_quadratic_field_inside():
    field = np.stack([X**2 / 50, Y * X / 50], axis=-1)
    expected = np.sqrt((X / 25) ** 2 + (X / 50) ** 2 + 0.5 * (Y / 50) ** 2)
    np.testing.assert_allclose(strain(field)[1:-1, 1:-1], expected[1:-1, 1:-1], rtol=1e-4)


@given(st.floats(-0.1, 0.1), st.floats(-5, 5), st.floats(-5, 5))
def test_turning_and_shifting_add_no_strain(angle, right, down):
    field = np.random.default_rng(0).normal(size=(9, 13, 2)).astype(np.float32)
    moved = field + linear(0, -angle, angle, 0) + np.float32([right, down])
    np.testing.assert_allclose(strain(moved), strain(field), atol=1e-4)


def test_leading_axes_are_a_loop_and_the_type_is_single():
    fields = np.random.default_rng(0).normal(size=(2, 3, 8, 9, 2))
    result = strain(fields)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [[strain(f) for f in row] for row in fields])


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3), (8, 1, 2), (2,)])
def test_fields_that_are_no_flow_are_refused(shape):
    with pytest.raises(BadInput, match="2×2"):
        strain(np.zeros(shape))
