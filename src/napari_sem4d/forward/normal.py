"""From the information in every pixel to an operator on height and relative yield."""

from __future__ import annotations

from collections.abc import Callable

import torch

from napari_sem4d.frames import slopes, slopes_adjoint

Fields = tuple[torch.Tensor, torch.Tensor]
"""Height (nm) and relative yield, or what is dual to them, both of shape (Y, X)."""
Operator = Callable[[torch.Tensor, torch.Tensor], Fields]


def information_of(
    weight: torch.Tensor, by_p: torch.Tensor, by_q: torch.Tensor, by_yield: torch.Tensor
) -> torch.Tensor:
    """Elements pp, qq, yy, pq, py, qy of ``J^T W J`` in every pixel.

    Parameters
    ----------
    weight, by_p, by_q, by_yield : torch.Tensor, shape (K, Y, X)
        Inverse variance of the signals, and their derivatives by the pixel's slopes and yield.

    Returns
    -------
    torch.Tensor, shape (6, Y, X)
    """
    a, b, c = by_p, by_q, by_yield
    wa, wb, wc = weight * a, weight * b, weight * c
    pairs = ((wa, a), (wb, b), (wc, c), (wa, b), (wa, c), (wb, c))
    return torch.stack([(x * y).sum(0) for x, y in pairs])


def normal_operator(information: torch.Tensor, pixel_nm: float) -> Operator:
    """The information behind slopes, as a product with (height, relative yield)."""
    pp, qq, yy, pq, py, qy = information

    def product(d_height: torch.Tensor, d_yield: torch.Tensor) -> Fields:
        p, q = slopes(d_height, pixel_nm)
        to_p = pp * p + pq * q + py * d_yield
        to_q = pq * p + qq * q + qy * d_yield
        return slopes_adjoint(to_p, to_q, pixel_nm), py * p + qy * q + yy * d_yield

    return product
