"""The two-dimensional cosine transform of torch tensors, and the frequencies that belong to it."""

from __future__ import annotations

import math

import torch
from scipy.fft import dctn, idctn


def dct2(array: torch.Tensor) -> torch.Tensor:
    """Orthonormal DCT-II over the last two axes; on the CPU by scipy, on a GPU by an FFT of even extension."""
    if array.device.type == "cpu":
        out = dctn(array.numpy(), type=2, norm="ortho", axes=(-2, -1), workers=torch.get_num_threads())
        return torch.from_numpy(out)
    return _dct_last(_dct_last(array).transpose(-1, -2)).transpose(-1, -2)


def idct2(array: torch.Tensor) -> torch.Tensor:
    """Inverse (= adjoint) of :func:`dct2`."""
    if array.device.type == "cpu":
        out = idctn(array.numpy(), type=2, norm="ortho", axes=(-2, -1), workers=torch.get_num_threads())
        return torch.from_numpy(out)
    return _idct_last(_idct_last(array).transpose(-1, -2)).transpose(-1, -2)


def angular_frequencies(
    shape: tuple[int, int], dtype: torch.dtype, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Angular frequencies of the cosine modes, rad per pixel: along y of shape (Y, 1), along x of shape (1, X)."""
    ky = torch.arange(shape[0], dtype=dtype, device=device) * (math.pi / shape[0])
    kx = torch.arange(shape[1], dtype=dtype, device=device) * (math.pi / shape[1])
    return ky[:, None], kx[None, :]


def frequencies(shape: tuple[int, int], like: torch.Tensor) -> torch.Tensor:
    """Angular frequency of every cosine mode, whatever its direction, rad per pixel, shape (Y, X)."""
    ky, kx = angular_frequencies(shape, like.dtype, like.device)
    return (ky.square() + kx.square()).sqrt()


def _dct_last(x: torch.Tensor) -> torch.Tensor:
    # Makhoul, IEEE Trans. ASSP 28, 27 (1980): one FFT of the samples in the order 0 2 4 ... 5 3 1.
    n = x.shape[-1]
    v = torch.cat([x[..., ::2], x[..., 1::2].flip(-1)], dim=-1)
    k = torch.arange(n, device=x.device, dtype=x.dtype) * (math.pi / (2 * n))
    spectrum = torch.fft.fft(v, dim=-1)
    out = (spectrum.real * torch.cos(k) + spectrum.imag * torch.sin(k)) * math.sqrt(2 / n)
    out[..., 0] *= math.sqrt(0.5)
    return out


def _idct_last(c: torch.Tensor) -> torch.Tensor:
    n = c.shape[-1]
    k = torch.arange(n, device=c.device, dtype=c.dtype) * (math.pi / (2 * n))
    a = c * math.sqrt(n / 2)
    a[..., 0] *= math.sqrt(2)
    mirrored = torch.cat([torch.zeros_like(a[..., :1]), a[..., 1:].flip(-1)], dim=-1)
    spectrum = torch.complex(
        a * torch.cos(k) + mirrored * torch.sin(k), a * torch.sin(k) - mirrored * torch.cos(k)
    )
    v = torch.fft.ifft(spectrum, dim=-1).real
    out = torch.empty_like(c)
    half = (n + 1) // 2
    out[..., ::2] = v[..., :half]
    out[..., 1::2] = v[..., half:].flip(-1)
    return out
