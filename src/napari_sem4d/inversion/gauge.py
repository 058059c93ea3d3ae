"""The datum in space: what height zero means in one frame."""

from __future__ import annotations

import torch


def to_datum(height: torch.Tensor, valid: torch.Tensor, remove_plane: bool) -> torch.Tensor:
    """Give heights mean zero over the valid pixels, and no mean plane where it is not known.

    Parameters
    ----------
    height : torch.Tensor, shape (Y, X)
        nm.
    valid : torch.Tensor, shape (Y, X), bool
        Pixels that define the datum.
    remove_plane : bool
        True where the tilt or the segments' gains are free.

    Returns
    -------
    torch.Tensor, shape (Y, X)
        nm, same dtype.
    """
    if not bool(valid.any()):
        return height - height.mean()
    if not remove_plane:
        return height - height[valid].mean(dtype=torch.float64).to(height.dtype)
    y, x = _axes(height.shape, height)
    design = torch.stack([torch.ones_like(height), y.expand_as(height), x.expand_as(height)]).double()
    weight = valid.double()
    normal = torch.einsum("iyx,jyx,yx->ij", design, design, weight)
    right = torch.einsum("iyx,yx,yx->i", design, height.double(), weight)
    coefficients = torch.linalg.lstsq(normal, right).solution
    return (height.double() - torch.einsum("i,iyx->yx", coefficients, design)).to(height.dtype)


def _axes(shape: torch.Size, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    y = torch.linspace(-1, 1, shape[0], dtype=like.dtype, device=like.device)[:, None]
    x = torch.linspace(-1, 1, shape[1], dtype=like.dtype, device=like.device)[None, :]
    return y, x
