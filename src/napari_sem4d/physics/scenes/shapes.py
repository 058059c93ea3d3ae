"""Shapes of scenes: pure functions of coordinates. All lengths are in one unit (rho50), angles in degrees.

Every function takes ``x`` (right) and ``y`` (up), arrays of shape (Y, X) centred on the image, the extent of the
periodic image, a random generator, and its own parameters; it returns the height and the number of the material.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Shape = tuple[np.ndarray, np.ndarray]


def _along(x: np.ndarray, y: np.ndarray, azimuth_deg: float) -> np.ndarray:
    """Coordinate along an azimuth, counter-clockwise from +x."""
    a = np.radians(azimuth_deg)
    along: np.ndarray = x * np.cos(a) + y * np.sin(a)
    return along


def _one_material(height: np.ndarray) -> Shape:
    return height, np.zeros(height.shape, np.uint8)


def _wall(distance: np.ndarray, height: float, wall_deg: float) -> np.ndarray:
    """Rise from 0 to a height, centred on distance 0, at the wall's angle."""
    rise: np.ndarray = np.clip(distance * np.tan(np.radians(wall_deg)) + 0.5 * height, 0.0, height)
    return rise


def sine(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    period: float, slope_deg: float, azimuth_deg: float,
) -> Shape:  # fmt: skip
    """Sinusoidal grating."""
    k = 2.0 * np.pi / period
    return _one_material(np.tan(np.radians(slope_deg)) / k * np.sin(k * _along(x, y, azimuth_deg)))


def grating(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    period: float, height: float, duty: float, wall_deg: float, azimuth_deg: float,
) -> Shape:  # fmt: skip
    """Lines with sloping walls; where these meet, lines become roofs."""
    s = _along(x, y, azimuth_deg)
    from_line = np.abs((s + 0.5 * period) % period - 0.5 * period)
    t = np.tan(np.radians(wall_deg))
    return _one_material(np.clip(0.5 * height + (0.5 * duty * period - from_line) * t, 0.0, height))


def step(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    height: float, wall_deg: float, azimuth_deg: float,
) -> Shape:  # fmt: skip
    """One step."""
    return _one_material(_wall(_along(x, y, azimuth_deg), height, wall_deg))


def ridge(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    width: float, slope_deg: float, azimuth_deg: float,
) -> Shape:  # fmt: skip
    """Ridge with the section of a roof."""
    s = np.abs(_along(x, y, azimuth_deg))
    return _one_material(np.maximum(0.5 * width - s, 0.0) * np.tan(np.radians(slope_deg)))


def trench(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    width: float, depth: float, wall_deg: float, azimuth_deg: float,
) -> Shape:  # fmt: skip
    """Trench with sloping walls."""
    s = np.abs(_along(x, y, azimuth_deg))
    return _one_material(_wall(s - 0.5 * width, depth, wall_deg) - depth)


def _square_distance(x: np.ndarray, y: np.ndarray, azimuth_deg: float) -> np.ndarray:
    return np.maximum(np.abs(_along(x, y, azimuth_deg)), np.abs(_along(x, y, azimuth_deg + 90.0)))


def pyramid(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    width: float, slope_deg: float, azimuth_deg: float,
) -> Shape:  # fmt: skip
    """Square pyramid."""
    d = _square_distance(x, y, azimuth_deg)
    return _one_material(np.maximum(0.5 * width - d, 0.0) * np.tan(np.radians(slope_deg)))


def etched_pit(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    width: float, depth: float, slope_deg: float, azimuth_deg: float,
) -> Shape:  # fmt: skip
    """Inverted pyramid, cut by a flat floor at ``depth``."""
    d = _square_distance(x, y, azimuth_deg)
    return _one_material(-np.minimum(np.maximum(0.5 * width - d, 0.0) * np.tan(np.radians(slope_deg)), depth))


def _periodic(x: np.ndarray, centre: float, extent: float) -> np.ndarray:
    """Distance from a centre on a periodic axis."""
    distance: np.ndarray = (x - centre + 0.5 * extent) % extent - 0.5 * extent
    return distance


def _count(share: float, size: float, extent: tuple[float, float]) -> int:
    """Islands of a size for a share of the area; bounded, so that tiny islands cannot take for ever."""
    return int(np.clip(round(share * extent[0] * extent[1] / size**2), 1, 2000))


def islands(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    size: float, slope_deg: float, aspect: float, coverage: float,
) -> Shape:  # fmt: skip
    """Truncated facetted islands of 3, 4 or 6 sides on a flat; material 1 on material 0."""
    height = np.zeros(x.shape)
    # Random places overlap: the number that covers a share c of the plane is -ln(1 - c) of the area.
    for _ in range(_count(-np.log(1.0 - min(coverage, 0.95)), size, extent)):
        width = size * rng.uniform(0.6, 1.4)
        sides = int(rng.choice([3, 4, 6]))
        turn = rng.uniform(0.0, 2.0 * np.pi)
        dx = _periodic(x, rng.uniform(0, extent[1]), extent[1])
        dy = _periodic(y, rng.uniform(0, extent[0]), extent[0])
        normals = turn + 2.0 * np.pi * np.arange(sides) / sides
        d = np.max([dx * np.cos(a) + dy * np.sin(a) for a in normals], axis=0)
        steep = np.tan(np.radians(min(slope_deg * rng.uniform(0.8, 1.2), 75.0)))
        height = np.maximum(height, np.clip((0.5 * width - d) * steep, 0.0, aspect * width))
    return height, (height > 0).astype(np.uint8)


def terraces(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    width: float, height: float, wall_deg: float, waviness: float, azimuth_deg: float,
) -> Shape:  # fmt: skip
    """Staircase that rises towards the azimuth, with waving edges."""
    along, across = _along(x, y, azimuth_deg), _along(x, y, azimuth_deg + 90.0)
    wave = sum(
        rng.normal() / n * np.sin(2.0 * np.pi * n * across / (8.0 * width) + rng.uniform(0.0, 2.0 * np.pi))
        for n in range(1, 4)
    )
    s = along + waviness * width * wave
    number = np.floor(s / width)
    return _one_material(number * height + _wall(s - (number + 0.5) * width, height, wall_deg))


def fractal(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    slope_deg: float, hurst: float, shortest: float, longest: float,
) -> Shape:  # fmt: skip
    """Self-affine Gaussian roughness: power spectrum ``k^(-2 - 2 H)`` between two wavelengths, periodic."""
    rows, columns = x.shape
    ky = 2.0 * np.pi * np.fft.fftfreq(rows, extent[0] / rows)
    kx = 2.0 * np.pi * np.fft.fftfreq(columns, extent[1] / columns)
    k = np.hypot(ky[:, None], kx[None, :])
    inside = (k > 0) & (k >= 2.0 * np.pi / longest) & (k <= 2.0 * np.pi / shortest)
    if not inside.any():
        # The image holds no wavelength of the band: take the one next to it.
        nearest = np.abs(np.log(np.where(k > 0, k, np.inf) * np.sqrt(shortest * longest) / (2.0 * np.pi)))
        inside = nearest <= nearest.min() + 1e-9
    amplitude = np.zeros_like(k)
    amplitude[inside] = k[inside] ** (-1.0 - hurst)
    spectrum = np.fft.fft2(rng.normal(size=x.shape)) * amplitude
    height = np.fft.ifft2(spectrum).real
    slopes = np.fft.ifft2(1j * kx[None, :] * spectrum).real, np.fft.ifft2(1j * ky[:, None] * spectrum).real
    rms = np.sqrt(np.mean(slopes[0] ** 2 + slopes[1] ** 2))
    return _one_material(height * (np.tan(np.radians(slope_deg)) / rms))


def crystals(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    size: float, slope_deg: float, spread_deg: float, facets: int,
) -> Shape:  # fmt: skip
    """Intergrown crystals: each a pyramid with facets of its own azimuths and slopes, the highest wins."""
    surface = np.full(x.shape, -np.inf)
    # A crystal larger than the image meets its own periodic copies.
    copies = (-1, 0, 1) if 4.0 * size > min(extent) else (0,)
    shifts = [(i * extent[0], j * extent[1]) for i in copies for j in copies]
    for _ in range(_count(1.0, size, extent)):
        dx = _periodic(x, rng.uniform(0, extent[1]), extent[1])
        dy = _periodic(y, rng.uniform(0, extent[0]), extent[0])
        azimuths = rng.uniform(0.0, 2.0 * np.pi) + 2.0 * np.pi * (
            np.arange(int(facets)) + rng.uniform(-0.2, 0.2, int(facets))
        ) / int(facets)
        steep = np.tan(np.radians(np.clip(slope_deg + rng.normal(0.0, spread_deg, int(facets)), 5.0, 75.0)))
        top = size * rng.uniform(0.0, 0.3)
        for up, right in shifts:
            falls = [
                t * ((dx + right) * np.cos(a) + (dy + up) * np.sin(a))
                for t, a in zip(steep, azimuths, strict=True)
            ]
            surface = np.maximum(surface, top - np.maximum(np.max(falls, axis=0), 0.0))
    return _one_material(surface)


def _arc(distance: np.ndarray, radius: float, steepest_deg: float) -> np.ndarray:
    """Height of a circle's upper half over its centre, its flanks straight where they are steeper than a limit."""
    limit = radius * np.sin(np.radians(steepest_deg))
    arc: np.ndarray = np.sqrt(np.maximum(radius**2 - np.minimum(distance, limit) ** 2, 0.0))
    arc -= np.maximum(distance - limit, 0.0) * np.tan(np.radians(steepest_deg))
    return arc


def sphere(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    diameter: float, sunk: float, steepest_deg: float,
) -> Shape:  # fmt: skip
    """Sphere sunk into a flat by a share of its diameter; flanks steeper than the limit become a cone."""
    cap = _arc(np.hypot(x, y), 0.5 * diameter, steepest_deg)
    return _one_material(np.maximum(cap - (sunk - 0.5) * diameter, 0.0))


def wire(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    diameter: float, sunk: float, steepest_deg: float, azimuth_deg: float,
) -> Shape:  # fmt: skip
    """Wire across the image, sunk into a flat by a share of its diameter."""
    arc = _arc(np.abs(_along(x, y, azimuth_deg)), 0.5 * diameter, steepest_deg)
    return _one_material(np.maximum(arc - (sunk - 0.5) * diameter, 0.0))


def bumps(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    size: float, slope_deg: float, coverage: float,
) -> Shape:  # fmt: skip
    """Smooth elliptic hills (Gaussian sections) at random places, the highest wins; slope is their steepest."""
    height = np.zeros(x.shape)
    for _ in range(_count(-np.log(1.0 - min(coverage, 0.95)), size, extent)):
        # A Gaussian is steepest one standard deviation from its top; four of them are its width.
        short = 0.25 * size * rng.uniform(0.6, 1.4)
        long = short * rng.uniform(1.0, 2.5)
        turn = rng.uniform(0.0, 180.0)
        dx = x - extent[1] * rng.uniform(-0.5, 0.5)
        dy = y - extent[0] * rng.uniform(-0.5, 0.5)
        steep = np.tan(np.radians(min(slope_deg * rng.uniform(0.8, 1.2), 75.0)))
        squared = (_along(dx, dy, turn) / short) ** 2 + (_along(dx, dy, turn + 90.0) / long) ** 2
        height = np.maximum(height, steep * short * np.exp(0.5 - 0.5 * squared))
    return _one_material(height)


def polyhedra(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    size: float, slope_deg: float, facets: int, hollow: float,
) -> Shape:  # fmt: skip
    """Facets that meet in any direction: blocks bounded by planes of any slope and place, and such hollows."""
    height = np.zeros(x.shape)
    steepest = np.tan(np.radians(slope_deg))
    for _ in range(_count(1.6, size, extent)):
        width = size * rng.uniform(0.5, 1.5)
        dx = x - extent[1] * rng.uniform(-0.5, 0.5)
        dy = y - extent[0] * rng.uniform(-0.5, 0.5)
        count = max(3, int(facets) + int(rng.integers(-1, 2)))
        turns = (
            rng.uniform(0.0, 2.0 * np.pi)
            + 2.0 * np.pi * (np.arange(count) + rng.uniform(-0.4, 0.4, count)) / count
        )
        steep = steepest * np.sqrt(rng.uniform(0.05, 1.0, count))
        place = 0.5 * width * rng.uniform(0.4, 1.3, count)
        walls = [s * (p - dx * np.cos(a) - dy * np.sin(a)) for s, p, a in zip(steep, place, turns, strict=True)]
        # A top that leans, at a height at which some of the walls are cut and others not.
        lean, way = 0.3 * steepest * rng.random(), rng.uniform(0.0, 2.0 * np.pi)
        top = width * rng.uniform(0.1, 0.6) * min(steepest, 1.5) + lean * (dx * np.cos(way) + dy * np.sin(way))
        block = np.minimum(np.min(walls, axis=0), top)
        ground = rng.uniform(-0.2, 0.3) * width * min(steepest, 1.0)
        height = (
            np.minimum(height, -block - ground) if rng.random() < hollow else np.maximum(height, block + ground)
        )
    return _one_material(height)


def domes(
    x: np.ndarray, y: np.ndarray, extent: tuple[float, float], rng: np.random.Generator, *,
    size: float, aspect: float, exponent: float, coverage: float, steepest_deg: float,
) -> Shape:  # fmt: skip
    """Oval domes on a flat, sections from a tent's (exponent 1) to a box's; flanks straight beyond a limit."""
    height = np.zeros(x.shape)
    rho = np.linspace(0.0, 1.0, 2001)
    for _ in range(_count(-np.log(1.0 - min(coverage, 0.95)), size, extent)):
        short = 0.5 * size * rng.uniform(0.6, 1.4)
        long, top = short * rng.uniform(1.15, 2.5), short * aspect * rng.uniform(0.7, 1.3)
        n = max(1.0, exponent * rng.uniform(0.8, 1.25))
        limit = short * np.tan(np.radians(steepest_deg))
        fall = np.minimum(-np.diff(top * (1.0 - rho**n) ** (1.0 / n)), limit * rho[1])
        section = top - np.concatenate([[0.0], np.cumsum(fall)])
        turn = rng.uniform(0.0, 180.0)
        dx = x - extent[1] * rng.uniform(-0.5, 0.5)
        dy = y - extent[0] * rng.uniform(-0.5, 0.5)
        r = np.hypot(_along(dx, dy, turn) / short, _along(dx, dy, turn + 90.0) / long)
        height = np.maximum(height, np.interp(r, rho, section) - limit * np.maximum(r - 1.0, 0.0))
    return _one_material(height)


SHAPES: dict[str, Callable[..., Shape]] = {
    f.__name__: f
    for f in (
        sine, grating, step, ridge, trench, pyramid, etched_pit, islands, terraces, fractal, crystals, sphere,
        wire, bumps, polyhedra, domes,
    )
}  # fmt: skip
