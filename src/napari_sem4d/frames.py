"""The one place where array directions meet the specimen's directions.

x runs to the right, y up on the screen, z towards the pole piece (right-handed); the row index grows
downwards. Azimuths are counter-clockwise on the screen from +x; polar angles are measured from +z.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

    ArrayT = TypeVar("ArrayT", np.ndarray, torch.Tensor)


def slopes(height: ArrayT, pixel_nm: float) -> tuple[ArrayT, ArrayT]:
    """Turn a height map into the slopes along x (right) and y (up).

    Central differences inside, one-sided ones in the border rows and columns. For a bilinear surface the
    central difference is the mean slope over the pixel, which is what an electron beam that scans the pixel
    sees. Works on numpy arrays and on torch tensors (differentiable).

    Parameters
    ----------
    height : array, shape (..., Y, X)
        Height in nm (any length unit, the same as ``pixel_nm``).
    pixel_nm : float
        Edge of a square pixel.

    Returns
    -------
    dh_dx, dh_dy : arrays, shape (..., Y, X)
        Dimensionless slopes; ``dh_dy`` is positive where the surface rises towards the top of the image.
    """
    d_row, d_col = _difference(height, -2), _difference(height, -1)
    return d_col / pixel_nm, -d_row / pixel_nm


def slopes_adjoint(dh_dx: ArrayT, dh_dy: ArrayT, pixel_nm: float) -> ArrayT:
    """Apply the adjoint of :func:`slopes`: ``<slopes(h), (p, q)> == <h, slopes_adjoint(p, q)>``.

    Parameters
    ----------
    dh_dx, dh_dy : arrays, shape (..., Y, X)
        Weights on the two slopes (numpy or torch).
    pixel_nm : float
        Edge of a square pixel in nm.

    Returns
    -------
    array, shape (..., Y, X)
        In units of the weights per nm.
    """
    return (_difference_adjoint(dh_dx, -1) - _difference_adjoint(dh_dy, -2)) / pixel_nm


def _slice(ndim: int, axis: int, start: int | None, stop: int | None) -> tuple[Any, ...]:
    index: list[Any] = [slice(None)] * ndim
    index[axis % ndim] = slice(start, stop)
    return tuple(index)


def _difference(array: ArrayT, axis: int) -> ArrayT:
    n = array.ndim

    def at(start: int | None, stop: int | None) -> ArrayT:
        return array[_slice(n, axis, start, stop)]

    inner = (at(2, None) - at(None, -2)) * 0.5
    parts = [at(1, 2) - at(0, 1), inner, at(-1, None) - at(-2, -1)]
    if isinstance(array, np.ndarray):
        return np.concatenate(parts, axis=axis)
    import torch

    return torch.cat(parts, dim=axis)


def _difference_adjoint(array: ArrayT, axis: int) -> ArrayT:
    n = array.ndim
    out = array * 0
    inner = array[_slice(n, axis, 1, -1)] * 0.5
    out[_slice(n, axis, 2, None)] += inner
    out[_slice(n, axis, None, -2)] -= inner
    first, last = array[_slice(n, axis, 0, 1)], array[_slice(n, axis, -1, None)]
    out[_slice(n, axis, 1, 2)] += first
    out[_slice(n, axis, 0, 1)] -= first
    out[_slice(n, axis, -1, None)] += last
    out[_slice(n, axis, -2, -1)] -= last
    return out


def azimuth_deg(dx: np.ndarray | float, dy_up: np.ndarray | float) -> np.ndarray:
    """Azimuth in degrees, 0 to 360, counter-clockwise on the screen from +x, of a vector with y up."""
    return np.degrees(np.arctan2(dy_up, dx)) % 360.0
