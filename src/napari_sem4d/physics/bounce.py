"""The bounce term: what leaves a facet below its horizon hits the surface there and scatters up again.

Along every azimuth the horizon rises step by step as one looks farther. What a pixel emits between two heights of
the horizon lands on the piece of surface that raised it, with an angle of incidence that its chord tells, and
leaves it again, rather forwards than Lambert's law says; what is emitted below the next horizon bounces once
more. Directions of a segment below the horizon are shadowed. No length enters: the term is as strong at any
scale. Its parts are products of a facet's emission with the surface's view of itself, as in radiosity (Goral et
al., SIGGRAPH 1984); Lambert's law about a facet's normal, the integral of which over elevations is elementary, is
corrected by polynomials in the cosine between incidence and exit, from the same local law.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.frames import slopes
from napari_sem4d.physics.acceptance import directions
from napari_sem4d.physics.horizon import Azimuth, CoarseGrid, Looks, azimuths, mean_slopes, rising
from napari_sem4d.physics.local_law import LocalLaw

_AZIMUTHS = 8
_BOUNCES = 3
_SOFT = 0.02
"""Rounding of the rising horizon, as a slope (about one degree)."""
_FLATTEST = 0.05
"""Looks that cannot raise a horizon by more than this slope are left out."""
_FINE_NODES = 128 * 128
"""The term varies slowly: images of more pixels are coarsened for it, down to about so many nodes,"""
_COARSEST = 4
"""but not to a pitch of more pixels than this,"""
_MOST_NODES = 40_000
"""unless there would be more nodes than memory and time allow."""
_ENERGY_KEPT = 0.75
"""Mean energy of an electron after one scattering off a surface over before (.6 to .8 from carbon to gold)."""
_MOST_FACETS = 400_000
"""Nodes up to which a given pitch is kept: half a gigabyte, and as many seconds as ViFT's own on such an image."""
_ZENITH_RAD = math.radians(89.9)
_LOWEST = 0.5
"""Segments hardly see exits that graze more; their strong forward lobe must not tilt what is fitted above."""
_TOGETHER = 8
"""Segments that electrons are carried for together."""
_NOWHERE = -1e6
"""Height in pixels of what lies beyond the border: no horizon."""
_NOTHING = 1e-6
"""Direct emission below which a segment counts as unable to see a facet anyhow."""


def total_yield(law: LocalLaw, cos_tilt: np.ndarray) -> np.ndarray:
    """Energy-weighted electrons per primary into all directions, by the cosine of the incidence.

    Parameters
    ----------
    law : LocalLaw
    cos_tilt : numpy.ndarray, shape (N,)

    Returns
    -------
    numpy.ndarray, shape (N,)
    """
    node, weight = np.polynomial.legendre.leggauss(64)
    azimuth = (np.arange(32) + 0.5) * np.pi / 32  # the other half mirrors this one
    emission = law.emission(
        np.arccos(cos_tilt)[:, None, None], np.arccos(node)[None, :, None], azimuth[None, None, :]
    )
    total: np.ndarray = 2.0 * np.einsum("npa,p->n", emission, weight) * np.pi / 32
    return total


def bounced_share(law_for: Callable[[float], LocalLaw], threshold_kev: float) -> float:
    """Part of the bounced electrons' signal that a detector's threshold leaves.

    A bounced electron starts with a lower energy: to it, the threshold is higher.
    """
    oblique = np.array([math.cos(math.radians(45.0))])
    seen = total_yield(law_for(threshold_kev / _ENERGY_KEPT), oblique) / total_yield(law_for(0.0), oblique)
    return float(seen[0])


class YieldCurve:
    """Yield by the cosine of the incidence, as the exponential of a polynomial (smooth and positive)."""

    def __init__(self, law: LocalLaw, degree: int = 4) -> None:
        cosine = np.linspace(0.05, 1.0, 20)
        self.coefficients = [
            float(c) for c in np.polynomial.polynomial.polyfit(cosine, np.log(total_yield(law, cosine)), degree)
        ]

    def __call__(self, cosine: torch.Tensor) -> torch.Tensor:
        """Evaluate for a tensor of cosines of any shape."""
        total = torch.full_like(cosine, self.coefficients[-1])
        for c in self.coefficients[-2::-1]:
            total = total * cosine + c
        return total.exp()


class ScatteringCurves:
    """How a facet's emission departs from Lambert's law, by the cosine of the incidence c.

    Emission over Lambert's law is taken as a polynomial in the cosine k of the angle between the directions of
    incidence and of exit: electrons prefer to go on forwards, the more so the more they graze. Its
    coefficients, least squares over the hemisphere, are polynomials in c.

    Parameters
    ----------
    law : LocalLaw
    order : int
        Highest power of k.
    lowest : float
        Cosine of the exit angle down to which the fit is made.
    """

    _DEGREE = 5

    def __init__(self, law: LocalLaw, order: int, lowest: float) -> None:
        cosines = np.linspace(0.08, 1.0, 24)
        outward, azimuth = np.meshgrid(np.linspace(lowest, 1.0, 16), np.linspace(0.0, np.pi, 25), indexing="ij")
        across = np.sqrt(1.0 - outward**2) * np.cos(azimuth)
        rows = []
        for c in cosines:
            tilt = np.arccos(c)
            # From the facet's frame (forwards, sideways, outward) to the beam's, whose -z is the incidence.
            up = c * outward - np.sin(tilt) * across
            sideways = np.sqrt(1.0 - outward**2) * np.sin(azimuth)
            polar = np.arccos(np.clip(up, -1.0, 1.0))
            turn = np.arctan2(sideways, c * across + np.sin(tilt) * outward)
            ratio = law.emission(np.full_like(polar, tilt), polar, turn) * np.pi / outward
            powers = np.stack([outward * (-up) ** i for i in range(order + 1)], axis=-1)
            rows.append(np.linalg.lstsq(powers.reshape(-1, order + 1), (ratio * outward).ravel(), rcond=None)[0])
        fit = np.polynomial.polynomial.polyfit(cosines, np.array(rows), self._DEGREE)
        self._coefficients = [[float(x) for x in column] for column in fit.T]

    def __call__(self, cosine: torch.Tensor) -> list[torch.Tensor]:
        """Coefficients of the powers 0 to ``order`` of k."""
        found = []
        for coefficients in self._coefficients:
            total = torch.full_like(cosine, coefficients[-1])
            for c in coefficients[-2::-1]:
                total = total * cosine + c
            found.append(total)
        return found


class BounceTerm:
    """Shadowing and bounces of a detector's segments on any surface.

    Parameters
    ----------
    segments : sequence of Segment
        With azimuths in the image's frame.
    law_for : callable
        Detector threshold in keV to the local law that holds for it.
    pitch_nm : float, optional
        Pitch of the grid that facets look at one another on (at least a pixel, and wider where there would be
        more than 400,000 nodes). By default it goes by the number of pixels: up to 16,384 every one is a facet,
        large maps are coarsened four times.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        law_for: Callable[[float], LocalLaw],
        pitch_nm: float | None = None,
    ) -> None:
        self._pitch_nm = pitch_nm
        plain = law_for(0.0)
        self._yield = YieldCurve(plain)
        self._primary = ScatteringCurves(plain, 2, 0.1)
        self._again = ScatteringCurves(plain, 1, _LOWEST)
        self._shares = []
        self._elevations = []
        self._axes = []
        seen = {t: bounced_share(law_for, t) for t in {s.threshold_kev for s in segments}}
        for s in segments:
            self._shares.append([seen[s.threshold_kev] * x for x in _coverage(s)])
            low, high = (math.radians(90.0 - a) for a in reversed(s.polar_deg))
            self._elevations.append((math.tan(low), math.tan(min(high, _ZENITH_RAD))))
            polar, azimuth, weight = directions(s)
            axis = np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)])
            self._axes.append([float(a) for a in axis @ weight / weight.sum()])
        self._rise_of_axes = float(np.mean([a[2] for a in self._axes]))

    def __call__(self, height: torch.Tensor, pixel_nm: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Evaluate on a surface; differentiable in both modes.

        Parameters
        ----------
        height : torch.Tensor, shape (Y, X)
            nm.
        pixel_nm : float
            Edge of a pixel, nm.

        Returns
        -------
        visible : torch.Tensor, shape (K, Y, X)
            Share of the direct emission into each segment that is not shadowed.
        bounced : torch.Tensor, shape (K, Y, X)
            Energy-weighted electrons per primary that reach each segment after one bounce or more.
        """
        grid, coarse = self._coarse(height, pixel_nm)
        around = self._look_around(coarse)
        whole, direct = self._direct(around.facet, around.horizons)
        return grid.up(_share(whole, direct)), grid.up(_bounced(around, direct))

    def beside(
        self, others: BounceTerm, height: torch.Tensor, pixel_nm: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Visible shares of another term's segments, and what bounces into one's own; the surface is seen once.

        Parameters
        ----------
        others : BounceTerm
        height, pixel_nm
            As of a call.
        """
        grid, coarse = self._coarse(height, pixel_nm)
        around = self._look_around(coarse)
        _, direct = self._direct(around.facet, around.horizons)
        shares = _share(*others._direct(around.facet, around.horizons))
        return grid.up(shares), grid.up(_bounced(around, direct))

    def _coarse(self, height: torch.Tensor, pixel_nm: float) -> tuple[CoarseGrid, torch.Tensor]:
        """The grid that facets are looked at on, and heights on it in units of its pitch."""
        shape = (int(height.shape[0]), int(height.shape[1]))
        pixels = shape[0] * shape[1]
        if self._pitch_nm is None:
            nodes = max(_FINE_NODES, min(pixels / _COARSEST**2, _MOST_NODES))
            factor = max(1.0, math.ceil(math.sqrt(pixels / nodes) - 0.01))
        else:
            factor = max(1.0, self._pitch_nm / pixel_nm, math.sqrt(pixels / _MOST_FACETS))
        grid = CoarseGrid(shape, factor, height.dtype, height.device)
        return grid, grid.down((height - height.detach().mean()) / (pixel_nm * factor))

    def _look_around(self, height: torch.Tensor) -> _Around:
        """See what lies around every facet, heights in units of the grid's pitch."""
        p, q = slopes(height, 1.0)
        facet = _Facet(p, q, torch.rsqrt(1.0 + p * p + q * q))
        seen = height.detach()
        relief = float(seen.max() - seen.min())
        looks = Looks.over((height.shape[0], height.shape[1]), _AZIMUTHS, relief / _FLATTEST)
        extended = looks.extend(height, _NOWHERE)
        far_slopes = mean_slopes(height)
        axes = torch.tensor(self._axes, dtype=height.dtype, device=height.device)
        level = self._yield(facet.cos_tilt)
        shape = torch.stack(self._primary(facet.cos_tilt)) * (facet.cos_tilt / (math.pi * level))
        plain, lobed, horizons, forwards = [], [], [], []
        far_plain, far_lobed = torch.zeros_like(height), torch.zeros_like(height)
        for azimuth, width, steps in looks.sectors:
            views = partial(self._views, looks=looks, azimuth=azimuth, steps=steps)
            own = azimuth.along(p, q)
            arguments = extended, own, azimuth.along(*far_slopes), shape * width
            if torch.is_grad_enabled() and height.requires_grad:
                near, far, horizon = _Recomputed.apply(views, *arguments)
            else:
                near, far, horizon = views(*arguments)
            towards = azimuth.along(axes[:, 0], axes[:, 1])
            plain.append(near[0])
            lobed.append(near[1])
            far_plain = far_plain + far[0]
            far_lobed = far_lobed + far[1] * towards[:, None, None]
            forwards.append(towards)
            horizons.append((own, horizon))
        weights = torch.cat(plain), torch.cat(lobed)
        return _Around(facet, level, looks, horizons, weights, (far_plain, far_lobed), torch.stack(forwards))

    def _views(
        self,
        extended: torch.Tensor,
        own_slope: torch.Tensor,
        far_slope: torch.Tensor,
        shape: torch.Tensor,
        looks: Looks,
        azimuth: Azimuth,
        steps: tuple[int, ...],
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What lands on every look along an azimuth, times the scattering there.

        A piece of surface between two looks is counted half at either.

        Parameters
        ----------
        extended, own_slope, far_slope : torch.Tensor
            Heights with the margin, slope along the azimuth, and that of the mean plane.
        shape : torch.Tensor, shape (3, Y, X)
            Emission over Lambert's law by powers of the cosine between incidence and exit.

        Returns
        -------
        near : torch.Tensor, shape (2, 1 + steps, Y, X)
            Even part, and the part that goes with the cosine between the segment and the azimuth.
        far : torch.Tensor, shape (2, Y, X)
            The same for the mean plane far away.
        horizon : torch.Tensor, shape (Y, X)
            As a slope.
        """
        height = last = looks.shifted(extended, azimuth, 0)
        horizons, chords, at = [own_slope], [], 0
        for n in steps:
            here = looks.shifted(extended, azimuth, n)
            horizons.append(rising((here - height) * (1.0 / (n * azimuth.length)), horizons[-1], _SOFT))
            chords.append((here - last) * (1.0 / ((n - at) * azimuth.length)))
            last, at = here, n
        horizons.append(rising(far_slope, horizons[-1], _SOFT))
        chords.append(far_slope.expand_as(height))
        risen, chord = torch.stack(horizons), torch.stack(chords)
        upto = _lambert(risen, own_slope)
        ray = 0.5 * (risen[1:] + risen[:-1])
        cosine = torch.rsqrt(1.0 + ray * ray)
        sine = ray * cosine
        landed = (upto[1:] - upto[:-1]) * (shape[0] - sine * (shape[1] - sine * shape[2]))
        incidence = ((chord - ray) * cosine * torch.rsqrt(1.0 + chord * chord)).clamp(min=0.0)
        even, forward = self._again(incidence)
        pieces = torch.stack([landed * (even + self._rise_of_axes * sine * forward), landed * cosine * forward])
        halves = 0.5 * pieces[:, :-1]
        nothing = torch.zeros_like(pieces[:, :1])
        return torch.cat([halves, nothing], 1) + torch.cat([nothing, halves], 1), pieces[:, -1], horizons[-1]

    def _direct(
        self, facet: _Facet, horizons: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Response of the segments (K, Y, X) to a Lambert emitter: without and with its horizon."""
        whole, direct = [], []
        for shares, (low, high) in zip(self._shares, self._elevations, strict=True):
            sums = [torch.zeros_like(facet.cos_tilt) for _ in range(2)]
            for share, (own, horizon) in zip(shares, horizons, strict=True):
                if share == 0.0:
                    continue
                top = _lambert(torch.full_like(own, high), own)
                for i, bottom in enumerate((own, horizon)):
                    sums[i] = sums[i] + share * (top - _lambert(bottom.clamp(low, high), own))
            whole.append(sums[0] * facet.cos_tilt / math.pi)
            direct.append(sums[1] * facet.cos_tilt / math.pi)
        return torch.stack(whole), torch.stack(direct)


@dataclass(frozen=True)
class _Facet:
    """Slopes dh/dx, dh/dy (y up) and cosine of the tilt, each of shape (Y, X)."""

    p: torch.Tensor
    q: torch.Tensor
    cos_tilt: torch.Tensor


@dataclass(frozen=True)
class _Around:
    """What the facets of a surface see.

    ``level`` is the yield of every facet; ``horizons`` own slope and horizon along every sector; ``weights`` and
    ``far`` what lands on every look and on the mean plane far away, in its even and its forward part;
    ``forwards`` (sectors, K) the cosine between sector and segment.
    """

    facet: _Facet
    level: torch.Tensor
    looks: Looks
    horizons: list[tuple[torch.Tensor, torch.Tensor]]
    weights: tuple[torch.Tensor, torch.Tensor]
    far: tuple[torch.Tensor, torch.Tensor]
    forwards: torch.Tensor


def _share(whole: torch.Tensor, direct: torch.Tensor) -> torch.Tensor:
    """Part of what segments would see without a horizon that they see with it."""
    return (direct + _NOTHING) / (whole + _NOTHING)


def _bounced(around: _Around, direct: torch.Tensor) -> torch.Tensor:
    """Electrons that reach the segments (K, Y, X) after one bounce or more."""
    looks, forwards = around.looks, around.forwards
    (plain, lobed), (far_plain, far_lobed) = around.weights, around.far
    everywhere = torch.ones_like(forwards)
    emitted = direct
    for _ in range(_BOUNCES - 1):
        emitted = direct + _transport(plain, far_plain, emitted, looks, everywhere)
    bounced = _transport(plain, far_plain, emitted, looks, everywhere)
    bounced = bounced + _transport(lobed, far_lobed, direct, looks, forwards)
    return bounced * around.level


def _lambert(elevation: torch.Tensor, own_slope: torch.Tensor) -> torch.Tensor:
    """Lambert emission up to an elevation, per azimuth, times pi over the cosine of the tilt (but a constant).

    Integral of (tan a - g) cos^2 a over the elevation a, g being the facet's slope along the azimuth.
    """
    inverse = 1.0 / (1.0 + elevation * elevation)
    return 0.5 * ((elevation - own_slope) * elevation * inverse - own_slope * torch.atan(elevation))


def _transport(
    weights: torch.Tensor, far: torch.Tensor, emitted: torch.Tensor, looks: Looks, shares: torch.Tensor
) -> torch.Tensor:
    """What reaches the segments (K, Y, X) from all looks; far away, the mean of the map shines."""
    near: torch.Tensor = _Transport.apply(weights, looks.extend(emitted, 0.0), shares, looks)
    return near + far * emitted.mean(dim=(-2, -1), keepdim=True)


def _coverage(segment: Segment) -> list[float]:
    """Width in rad of the part of every sector that a segment covers."""
    start, width = math.radians(segment.azimuth_deg[0]), math.radians(segment.azimuth_width_deg)
    shares = []
    for azimuth, sector in azimuths(_AZIMUTHS):
        first = (azimuth.radians - 0.5 * sector - start) % (2 * math.pi)
        overlap = max(0.0, min(first + sector, width) - first)
        overlap += max(0.0, min(first + sector - 2 * math.pi, width))
        shares.append(overlap if overlap > 1e-9 else 0.0)
    return shares


class _Recomputed(torch.autograd.Function):
    """A function of tensors that keeps no graph: it is run again for its derivative."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Any], *arguments: torch.Tensor) -> Any:
        ctx.function = function
        ctx.save_for_backward(*arguments)
        with torch.no_grad():
            return function(*arguments)

    @staticmethod
    def backward(ctx: Any, *grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        arguments = [a.detach().requires_grad_() for a in ctx.saved_tensors]
        with torch.enable_grad():
            results = ctx.function(*arguments)
        return None, *torch.autograd.grad(results, arguments, grad, allow_unused=True)


class _Transport(torch.autograd.Function):
    """Sum over looks of weight (L, Y, X), the sector's share (sectors, K), and what is emitted there.

    What is emitted is (K, Y, X) with the margin around.
    """

    @staticmethod
    def forward(weights: torch.Tensor, extended: torch.Tensor, shares: torch.Tensor, looks: Looks) -> torch.Tensor:
        total = torch.zeros((extended.shape[0], *looks.shape), dtype=extended.dtype, device=extended.device)
        # Many segments at once would not stay in the processor's cache.
        for first in range(0, len(total), _TOGETHER):
            some = slice(first, first + _TOGETHER)
            for share, sector, numbers in looks.groups(shares[:, some]):
                part = torch.zeros_like(total[some])
                for i, steps in numbers:
                    part.addcmul_(looks.shifted(extended[some], sector, steps), weights[i])
                total[some].addcmul_(part, share[:, None, None])
        return total

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: torch.Tensor) -> None:
        weights, extended, shares, ctx.looks = inputs
        ctx.save_for_backward(weights, extended, shares)
        ctx.save_for_forward(weights, extended, shares)

    @staticmethod
    def backward(ctx: Any, *grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        weights, extended, shares = ctx.saved_tensors
        looks = ctx.looks
        to_weights, to_extended = torch.empty_like(weights), torch.zeros_like(extended)
        for share, sector, numbers in looks.groups(shares):
            part = grad[0] * share[:, None, None]
            for i, steps in numbers:
                to_weights[i] = (looks.shifted(extended, sector, steps) * part).sum(0)
                looks.shifted(to_extended, sector, steps).addcmul_(part, weights[i])
        return to_weights, to_extended, None, None

    @staticmethod
    def jvp(ctx: Any, d_weights: torch.Tensor, d_extended: torch.Tensor, *_: None) -> torch.Tensor:
        weights, extended, shares = ctx.saved_tensors
        by_weights = _Transport.forward(d_weights, extended, shares, ctx.looks)
        return by_weights + _Transport.forward(weights, d_extended, shares, ctx.looks)
