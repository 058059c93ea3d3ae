"""Standard uncertainty of height from noise, and posterior draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch

from napari_sem4d.cosine import angular_frequencies, dct2, frequencies, idct2
from napari_sem4d.inversion.gauge import to_datum
from napari_sem4d.inversion.gauss_newton import local_inverse
from napari_sem4d.inversion.objective import Objective, State
from napari_sem4d.inversion.spectral import SpectralHessian

# Waves shorter than this are as sharp as the signals nearby, longer ones as the signals of the whole image.
_LOCAL_WAVE_PX = 64
_LOCAL_SMOOTHING_PX = 6.0
_NOTHING = 1e-2
"""Share of the mean information below which a pixel, or what is left around it, says nothing."""
_SHARES = (1.0, 0.56, 0.32, 0.18, 0.1)
"""Shares of the prior that the variance is worked out for; between them it is interpolated."""
_DRAW_TOLERANCE = 1e-3


def height_std(
    objective: Objective, state: State, noise_colour: torch.Tensor | None, remove_plane: bool
) -> torch.Tensor:
    """Standard uncertainty of height from the noise and the prior's pull, in the gauge of the datum.

    The Gauss-Newton covariance in the cosine basis, with the information of a mean pixel, the yield eliminated,
    the noise's own spectrum and the prior's pull; its short-wave part is scaled by the information around each
    pixel, and by what the prior counts there. Exact where both are the same everywhere; checked against
    posterior draws elsewhere.

    Parameters
    ----------
    objective, state
        At the minimum.
    noise_colour : torch.Tensor, shape (Y, X), optional
        Power of the noise in every cosine mode relative to white noise of the same variance.
    remove_plane : bool
        As in :func:`~napari_sem4d.inversion.gauge.to_datum`.

    Returns
    -------
    torch.Tensor, shape (Y, X)
        nm; an independent error of the calibration is not in it.
    """
    hessian = SpectralHessian.of(objective, state)
    data = hessian.height_information()
    prior = hessian.curvature_weight * hessian.height_prior_unit
    coloured = data if noise_colour is None else data * noise_colour

    def under(share: float) -> torch.Tensor:
        pull = float(objective.priors.pull_variance(torch.tensor(share)))
        found = (coloured + pull * prior) / (data + share * prior).clamp_min(1e-30).square()
        found[0, 0] = 0.0  # the mean is the datum
        return found

    covariance = under(1.0)
    is_long = frequencies((data.shape[0], data.shape[1]), data) < 2 * math.pi / _LOCAL_WAVE_PX
    long = _variance(torch.where(is_long, covariance, 0.0))
    short = _variance(torch.where(is_long, 0.0, covariance))
    if remove_plane:
        long = (long - _plane_part(covariance)).clamp_min(0.0)
    factor = _local_factor(state)
    if objective.priors.share is not None:
        sums = [float(torch.where(is_long, 0.0, under(share)).sum(dtype=torch.float64)) for share in _SHARES]
        factor = factor * _at_edges(objective.priors.share, sums)
    return (long + short * factor).sqrt()


def noise_colour(
    shape: tuple[int, int], correlation_x: list[float], correlation_y: list[float], like: torch.Tensor
) -> torch.Tensor:
    """Power of correlated noise in every cosine mode, relative to white noise of the same variance.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    correlation_x, correlation_y : list of float
        Autocorrelation at lags 1, 2, ... pixels along x and y (the product of both is assumed).
    like : torch.Tensor
        Gives dtype and device.
    """
    ky, kx = angular_frequencies(shape, like.dtype, like.device)

    def power(k: torch.Tensor, correlation: list[float]) -> torch.Tensor:
        total = torch.ones_like(k)
        for lag, value in enumerate(correlation, start=1):
            total = total + 2 * value * torch.cos(lag * k)
        return total.clamp_min(0.0)

    return power(ky, correlation_y) * power(kx, correlation_x)


def posterior_draws(
    objective: Objective,
    state: State,
    count: int,
    seed: int,
    noise: Callable[[int], torch.Tensor],
    valid: torch.Tensor,
    remove_plane: bool,
) -> Iterator[torch.Tensor]:
    """Draw heights from the posterior: perturb the data and the prior, solve the linearised problem again.

    Perturbed signals pull with the engine's whole derivative; the Hessian is its local part, with which the
    draws spread as with the whole one: to within 1 % at an rms slope of 0.3, 7 % less at 0.8.

    Parameters
    ----------
    objective, state
        At the minimum.
    count : int
        How many.
    seed : int
        Of the priors' part; draw i uses ``seed + i``.
    noise : callable
        Number of the draw to a realisation of the images' noise, shape (K, Y, X), signal units.
    valid : torch.Tensor, shape (Y, X), bool
        Pixels that define the datum.
    remove_plane : bool
        As in :func:`~napari_sem4d.inversion.gauge.to_datum`.

    Yields
    ------
    torch.Tensor, shape (Y, X)
        Height in nm.
    """
    solve = local_inverse(objective, state, _DRAW_TOLERANCE, 200)
    shape = (state.height.shape[0], state.height.shape[1])
    for i in range(count):
        generator = torch.Generator().manual_seed(seed + i)
        prior_height, prior_yield = objective.priors.sample_gradient(shape, generator, state.height)
        data_height, data_yield = state.linearisation.vjp(state.active_weight * noise(i))
        change, _ = solve(data_height + prior_height, data_yield + prior_yield)
        yield to_datum(state.height + change, valid, remove_plane)


def _variance(covariance: torch.Tensor) -> torch.Tensor:
    """Pixel variance of a field whose cosine modes are independent with the given variances.

    Evaluated at every fourth pixel and interpolated where the field is large: it varies slowly but at borders,
    where every pixel is taken.
    """
    rows, columns = covariance.shape
    at_rows, at_columns = _nodes(rows), _nodes(columns)
    coarse = (
        _squared_modes(rows, at_rows, covariance) @ covariance @ _squared_modes(columns, at_columns, covariance).T
    )
    between = _interpolation(columns, at_columns, covariance)
    return _interpolation(rows, at_rows, covariance) @ coarse @ between.T


def _nodes(n: int) -> torch.Tensor:
    if n < 96:
        return torch.arange(n)
    return torch.cat([torch.arange(24), torch.arange(24, n - 24, 4), torch.arange(n - 24, n)])


def _interpolation(n: int, nodes: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Matrix (n, nodes) of linear interpolation."""
    position = torch.arange(n)
    right = torch.searchsorted(nodes, position).clamp(1, nodes.numel() - 1)
    share = (position - nodes[right - 1]).to(like) / (nodes[right] - nodes[right - 1]).to(like)
    out = torch.zeros(n, nodes.numel(), dtype=like.dtype, device=like.device)
    out[position, right - 1] = 1 - share
    out[position, right] = share
    return out


def _squared_modes(n: int, at: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    position = at.to(dtype=torch.float64, device=like.device)[:, None] + 0.5
    mode = torch.arange(n, dtype=torch.float64, device=like.device)[None, :]
    squares = torch.cos(math.pi / n * position * mode).square() * (2.0 / n)
    squares[:, 0] = 1.0 / n
    return squares.to(like.dtype)


def _plane_part(covariance: torch.Tensor) -> torch.Tensor:
    """What the removal of the mean plane takes from the pixel variance."""
    rows, columns = covariance.shape
    y = torch.linspace(-1, 1, rows, dtype=covariance.dtype, device=covariance.device)[:, None]
    x = torch.linspace(-1, 1, columns, dtype=covariance.dtype, device=covariance.device)[None, :]
    total = torch.zeros_like(covariance)
    for ramp in (y.expand(rows, columns), x.expand(rows, columns)):
        unit = ramp / ramp.square().sum()  # its scalar product with a height is the plane's coefficient
        with_height = idct2(covariance * dct2(unit.contiguous()))
        variance = (unit * with_height).sum()
        total += 2 * ramp * with_height - ramp.square() * variance
    return total


def _at_edges(share: torch.Tensor, sums: list[float]) -> torch.Tensor:
    """Short-wave variance where the prior counts less, over that where it counts in full."""
    at = share.clamp(_SHARES[-1], 1.0).log()
    knots = torch.tensor(_SHARES, dtype=torch.float64).log().to(at)
    values = torch.tensor([s / sums[0] for s in sums], dtype=torch.float64).log().to(at)
    right = torch.searchsorted(-knots, (-at).contiguous()).clamp(1, len(_SHARES) - 1)
    part = (at - knots[right - 1]) / (knots[right] - knots[right - 1])
    return torch.exp((1.0 - part) * values[right - 1] + part * values[right])


def _local_factor(state: State) -> torch.Tensor:
    """Mean information over the information around each pixel.

    Waves longer than the pixels' differences see their geometric mean: that of a plane of conductors whose
    logarithms are spread evenly (Dykhne, Soviet Physics JETP 32, 63, 1971). Pixels that say nothing only thin the
    others out: draws with a tenth to half of the pixels masked scatter as their number says.
    """
    information = state.linearisation.information(state.active_weight)
    slope = information[0] + information[1]
    mean = slope.mean(dtype=torch.float64).to(slope.dtype)
    least = _NOTHING * float(mean)
    says = (slope > least).to(slope.dtype)
    logarithm = (mean / slope.clamp_min(least)).log()
    number = _around(says).clamp_min(_NOTHING)
    return (_around(says * logarithm) / number).exp() / number


def _around(field: torch.Tensor) -> torch.Tensor:
    """Mean around every pixel, shape (Y, X), by a Gaussian."""
    radius = round(2 * _LOCAL_SMOOTHING_PX)
    offset = torch.arange(-radius, radius + 1, dtype=field.dtype, device=field.device)
    kernel = torch.exp(-0.5 * (offset / _LOCAL_SMOOTHING_PX).square())
    kernel = kernel / kernel.sum()
    pad = torch.nn.functional.pad(field[None, None], (radius,) * 4, mode="replicate")
    smooth = torch.nn.functional.conv2d(pad, kernel[None, None, :, None])
    return torch.nn.functional.conv2d(smooth, kernel[None, None, None, :])[0, 0]
