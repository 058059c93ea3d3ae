"""Find a square (Vickers) imprint in multi-segment images: its outline, its four faces, the flat around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from napari_sem4d.errors import InputError

_COARSE_SIDE = 384  # pixels of the longer image side in which candidates are searched
_COARSE_HALF_DIAGONAL = 16  # pixels of the half diagonal at which candidates are compared
_FINE_HALF_DIAGONAL = 40  # pixels of the half diagonal at which the outline is fitted
_CANDIDATES = 4
_DIFFERENCE = 1e-4  # step of numerical derivatives, in units of the parameters' scale
_LEAST_EXPLAINED = 0.4  # share of the signal variance in the window that differences between faces must explain
_NO_IMPRINT = (
    "no imprint was found in the image: a Vickers imprint shows four triangular faces of different brightness "
    "around one point, {why}; choose an image that shows one whole imprint, or mark a smaller region around it"
)


@dataclass(frozen=True)
class ImprintOutline:
    """Outline of a square imprint in pixels of the image.

    Attributes
    ----------
    row, col : float
        Point in which the diagonals cross (row grows downwards).
    rotation_rad : float
        Azimuth of the first half diagonal, counter-clockwise on the screen from +x; the first lies nearest to
        +x, between -45 and 45 degrees, the others follow by 90 degrees.
    rotation_std_rad : float
        Standard uncertainty of the rotation.
    half_diagonals : tuple of float
        Lengths of the four half diagonals, pixels, counter-clockwise from the first.
    explained : float
        Share of the signal variance around the imprint that the differences between the four faces explain,
        0 to 1 (a uniform spot has none).
    """

    row: float
    col: float
    rotation_rad: float
    rotation_std_rad: float
    half_diagonals: tuple[float, float, float, float]
    explained: float

    def shifted(self, rows: int, cols: int) -> ImprintOutline:
        """Return the outline in an image of which this one was a part that began at (rows, cols)."""
        return replace(self, row=self.row + rows, col=self.col + cols)

    @property
    def diagonal(self) -> float:
        """Mean of the two diagonals, pixels."""
        return 0.5 * sum(self.half_diagonals)

    @property
    def face_azimuths_rad(self) -> np.ndarray:
        """Azimuths, seen from the centre, of the middles of the four faces, rad, shape (4,)."""
        return self.rotation_rad + np.pi / 4 + np.pi / 2 * np.arange(4)

    def local(self, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates (pixels) along the first half diagonal and 90 degrees counter-clockwise of it."""
        rows, cols = np.indices(shape, dtype=np.float64)
        right, up = cols - self.col, self.row - rows
        cos, sin = np.cos(self.rotation_rad), np.sin(self.rotation_rad)
        return right * cos + up * sin, up * cos - right * sin

    def face_masks(self, shape: tuple[int, int], margin: float = 0.1) -> np.ndarray:
        """Masks of the four faces, shrunk on all sides.

        Parameters
        ----------
        shape : (Y, X)
        margin : float
            Distance from ridges and outer edges, as a share of the mean half diagonal.

        Returns
        -------
        numpy.ndarray of bool, shape (4, Y, X)
            Counter-clockwise; face j lies between half diagonals j and j + 1.
        """
        along, across = self.local(shape)
        gap = margin * self.diagonal / 2
        faces = []
        for j, (u, v) in enumerate(((along, across), (across, -along), (-along, -across), (-across, along))):
            a, b = self.half_diagonals[j], self.half_diagonals[(j + 1) % 4]
            to_edge = (1 - u / a - v / b) * a * b / np.hypot(a, b)
            faces.append((u > gap) & (v > gap) & (to_edge > gap))
        return np.stack(faces)

    def flat_mask(self, shape: tuple[int, int], inner: float = 1.3, outer: float = 2.5) -> np.ndarray:
        """Mask of the surroundings, shape (Y, X): a ring from ``inner`` to ``outer`` mean half diagonals."""
        along, across = self.local(shape)
        radius = np.hypot(along, across) / (self.diagonal / 2)
        return (radius > inner) & (radius < outer)


def find_imprint(signals: np.ndarray) -> ImprintOutline:
    """Find the imprint in the images of all segments.

    Regions that differ from the image's plane trend are candidates; to each a soft square with four faces of
    constant signal on a constant surrounding is fitted (least squares with a robust loss, so that debris and
    scratches count little); the largest whose faces
    differ is kept.

    Parameters
    ----------
    signals : numpy.ndarray, shape (K, Y, X)
        Signals in any units; NaN where invalid.

    Returns
    -------
    ImprintOutline

    Raises
    ------
    InputError
        If nothing in the image looks like an imprint.
    """
    shape = signals.shape[1:]
    if signals.ndim != 3 or min(shape) < 32:
        raise InputError(_NO_IMPRINT.format(why=f"and this image has only {' x '.join(map(str, shape))} pixels"))
    step = max(1, int(np.ceil(max(shape) / _COARSE_SIDE)))
    coarse = _standardise(_downsample(signals, step))
    candidates = _candidates(coarse)
    if not candidates:
        raise InputError(_NO_IMPRINT.format(why="and nothing here stands out from the background"))
    best: ImprintOutline | None = None
    for row, col, half in candidates:
        again = max(1, int(half / _COARSE_HALF_DIAGONAL))
        small = _standardise(_downsample(coarse, again)) if again > 1 else coarse
        fitted = _fit_candidate(small, (row + 0.5) / again - 0.5, (col + 0.5) / again - 0.5, half / again)
        if fitted is not None:
            fitted = _rescaled(fitted, again)
            # A facetted crumb may be fitted better than the imprint, but it is smaller.
            if best is None or fitted.explained * fitted.diagonal**2 > best.explained * best.diagonal**2:
                best = fitted
    if best is None or best.explained < _LEAST_EXPLAINED:
        share = 0.0 if best is None else best.explained
        raise InputError(
            _NO_IMPRINT.format(why=f"and here their differences explain only {share:.0%} of the contrast")
        )
    in_full = _rescaled(best, step)
    fine_step = max(1, int(in_full.diagonal / 2 / _FINE_HALF_DIAGONAL))
    fine = _standardise(_downsample(signals, fine_step))
    start = _rescaled(in_full, fine_step, inverse=True)
    refined = _fit(fine, _to_parameters(start), start.diagonal / 2, reach=1.5, steps=15)
    if refined is not None:
        in_full = _rescaled(refined, fine_step)
    if not _inside(in_full, shape):
        raise InputError(
            "the imprint reaches over the border of the image: all four faces must be seen whole; "
            "take an image in which the imprint lies in the middle"
        )
    return in_full


def _downsample(signals: np.ndarray, step: int) -> np.ndarray:
    """Block means that ignore NaN, shape (K, Y // step, X // step)."""
    k, y, x = signals.shape
    y, x = y // step * step, x // step * step
    blocks = signals[:, :y, :x].reshape(k, y // step, step, x // step, step)
    valid = np.isfinite(blocks)
    count = valid.sum((2, 4))
    total = np.where(valid, blocks, 0).sum((2, 4), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        means = total / count
    for image in means:
        bad = ~np.isfinite(image)
        if bad.any() and not bad.all():
            image[bad] = np.median(image[~bad])
    return np.nan_to_num(means)


def _standardise(images: np.ndarray) -> np.ndarray:
    """Subtract a robust plane from each image and divide by the robust spread of what is left."""
    _, y, x = images.shape
    rows, cols = np.indices((y, x))
    design = np.stack([np.ones(y * x), rows.ravel() / y - 0.5, cols.ravel() / x - 0.5], axis=1)
    out = np.empty_like(images, dtype=np.float64)
    for i, image in enumerate(images):
        values = image.ravel()
        keep = np.ones(values.size, bool)
        for _ in range(6):
            plane = np.linalg.lstsq(design[keep], values[keep], rcond=None)[0]
            rest = values - design @ plane
            spread = 1.4826 * np.median(np.abs(rest[keep] - np.median(rest[keep])))
            keep = np.abs(rest) <= 3 * spread + 1e-12
        out[i] = rest.reshape(y, x) / (spread if spread > 0 else 1.0)
    return out


def _candidates(images: np.ndarray) -> list[tuple[float, float, float]]:
    """Row, column and half diagonal of regions that stand out, largest first."""
    smooth = ndimage.gaussian_filter(images, (0, 1, 1))
    spread = 1.4826 * np.median(np.abs(smooth), axis=(1, 2))
    energy = np.sqrt(((smooth / np.maximum(spread, 1e-12)[:, None, None]) ** 2).mean(0))
    mask = ndimage.binary_closing(ndimage.binary_opening(energy > 4, iterations=1), iterations=3)
    labels, count = ndimage.label(mask)
    if not count:
        return []
    area = ndimage.sum_labels(np.ones_like(energy), labels, np.arange(1, count + 1))
    found = []
    for i in np.argsort(area)[::-1][:_CANDIDATES]:
        half = float(np.sqrt(area[i] / 2))
        if half >= 5:
            row, col = ndimage.center_of_mass(labels == i + 1)
            found.append((float(row), float(col), half))
    return found


def _fit_candidate(images: np.ndarray, row: float, col: float, half: float) -> ImprintOutline | None:
    """Best fit over starting rotations."""
    best = None
    for degrees in (-30.0, 0.0, 30.0):
        fitted = _fit(images, np.array([row, col, np.radians(degrees), half, half, half, half]), half)
        if fitted is not None and (best is None or fitted.explained > best.explained):
            best = fitted
    return best


def _memberships(parameters: np.ndarray, rows: np.ndarray, cols: np.ndarray, softness: float = 0.7) -> np.ndarray:
    """Soft membership (N, 5) of pixels in the four faces and the flat; they add up to 1."""
    row, col, rotation = parameters[:3]
    halves = np.maximum(parameters[3:], 1.0)
    right, up = cols - col, row - rows
    cos, sin = np.cos(rotation), np.sin(rotation)
    u, v = right * cos + up * sin, up * cos - right * sin
    first, second = _sigmoid(u / softness), _sigmoid(v / softness)
    shares = np.stack([first * second, (1 - first) * second, (1 - first) * (1 - second), first * (1 - second)], 1)
    members = np.empty((rows.size, 5))
    for j, (a, b) in enumerate(((u, v), (v, -u), (-u, -v), (-v, u))):
        la, lb = halves[j], halves[(j + 1) % 4]
        to_edge = (1 - a / la - b / lb) * la * lb / np.hypot(la, lb)
        members[:, j] = shares[:, j] * _sigmoid(to_edge / softness)
    members[:, 4] = 1 - members[:, :4].sum(1)
    return members


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x * 1.7, -40, 40)))


def _fit(
    images: np.ndarray, start: np.ndarray, half: float, reach: float = 2.0, steps: int = 30
) -> ImprintOutline | None:
    """Fit outline and levels in a window of ``reach`` half diagonals around the start; None if it runs away."""
    k, y, x = images.shape
    reach = reach * half
    low_r, high_r = max(0, int(start[0] - reach)), min(y, int(start[0] + reach) + 1)
    low_c, high_c = max(0, int(start[1] - reach)), min(x, int(start[1] + reach) + 1)
    window = images[:, low_r:high_r, low_c:high_c]
    grid = np.mgrid[low_r:high_r, low_c:high_c].astype(np.float64)
    rows, cols = grid[0].ravel(), grid[1].ravel()
    data = window.reshape(k, -1).T
    if data.shape[0] < 100:
        return None

    def residual(parameters: np.ndarray) -> np.ndarray:
        members = _memberships(parameters, rows, cols)
        levels = np.linalg.lstsq(members.T @ members + 1e-9 * np.eye(5), members.T @ data, rcond=None)[0]
        rest: np.ndarray = data - members @ levels
        return rest.ravel()

    scale = np.array([half, half, 1.0, half, half, half, half])
    # Debris and edges deviate by many noise widths; beyond this a pixel counts linearly only.
    spread = max(1.0, float(np.median(np.abs(residual(start)))) * 1.5)
    fitted, information = _minimise(residual, start, scale, spread, steps)
    halves = fitted[3:]
    if halves.min() < 3 or halves.max() > 3 * half or halves.max() > 2.5 * halves.min():
        return None
    rest = residual(fitted)
    members = _memberships(fitted, rows, cols)
    alike = np.stack([members[:, :4].sum(1), members[:, 4]], axis=1)
    uniform = data - alike @ np.linalg.lstsq(alike, data, rcond=None)[0]
    total = float(((data - data.mean(axis=0)) ** 2).sum())
    explained = float((uniform**2).sum() - (rest**2).sum()) / max(total, 1e-30)
    covariance = np.linalg.pinv(information) * float(np.mean(rest**2))
    rotation_std = float(np.sqrt(max(covariance[2, 2], 0.0)))
    quarter = int(np.round(fitted[2] / (np.pi / 2)))
    return ImprintOutline(
        row=float(fitted[0]),
        col=float(fitted[1]),
        rotation_rad=float(fitted[2] - quarter * np.pi / 2),
        rotation_std_rad=rotation_std,
        # Half diagonal i stands at rotation + 90 i: renumber so that the first is nearest to +x.
        half_diagonals=tuple(float(h) for h in np.roll(halves, quarter)),  # type: ignore[arg-type]
        explained=explained,
    )


def _minimise(
    residual: Callable[[np.ndarray], np.ndarray], start: np.ndarray, scale: np.ndarray, spread: float, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Levenberg-Marquardt with reweighting for a loss that is linear beyond ``spread``.

    Normal equations, because thousands of residuals meet seven parameters.

    Returns
    -------
    x : numpy.ndarray, shape (P,)
    information : numpy.ndarray, shape (P, P)
        ``J^T W J`` at the last step.
    """

    def cost(rest: np.ndarray) -> float:
        return float((np.sqrt(1 + (rest / spread) ** 2) - 1).sum())

    x, damping = start.astype(np.float64), 1e-2
    rest = residual(x)
    for _ in range(steps):
        columns = []
        for i, size in enumerate(scale):
            shifted = x.copy()
            shifted[i] += _DIFFERENCE * size
            columns.append((residual(shifted) - rest) / _DIFFERENCE)
        jacobian = np.stack(columns, axis=1)  # in units of ``scale``
        weight = 1 / np.sqrt(1 + (rest / spread) ** 2)
        information = jacobian.T @ (weight[:, None] * jacobian)
        gradient = jacobian.T @ (weight * rest)
        before = cost(rest)
        while True:
            damped = information + damping * np.diag(np.diag(information) + 1e-12)
            trial = x - scale * np.linalg.solve(damped, gradient)
            trial_rest = residual(trial)
            if cost(trial_rest) < before or damping > 1e6:
                break
            damping *= 10
        gain = before - cost(trial_rest)
        if gain > 0:
            x, rest, damping = trial, trial_rest, max(damping / 10, 1e-9)
        if gain < 1e-6 * before:
            break
    return x, information / np.outer(scale, scale)


def _to_parameters(outline: ImprintOutline) -> np.ndarray:
    return np.array([outline.row, outline.col, outline.rotation_rad, *outline.half_diagonals])


def _rescaled(outline: ImprintOutline, step: int, inverse: bool = False) -> ImprintOutline:
    """Outline on a grid whose pixels are ``step`` times smaller (``inverse``: larger)."""
    factor = 1 / step if inverse else float(step)
    return ImprintOutline(
        row=(outline.row + 0.5) * factor - 0.5,
        col=(outline.col + 0.5) * factor - 0.5,
        rotation_rad=outline.rotation_rad,
        rotation_std_rad=outline.rotation_std_rad,
        half_diagonals=tuple(h * factor for h in outline.half_diagonals),  # type: ignore[arg-type]
        explained=outline.explained,
    )


def _inside(outline: ImprintOutline, shape: tuple[int, int]) -> bool:
    angles = outline.rotation_rad + np.pi / 2 * np.arange(4)
    halves = np.array(outline.half_diagonals)
    rows, cols = outline.row - halves * np.sin(angles), outline.col + halves * np.cos(angles)
    return bool(rows.min() > 0 and cols.min() > 0 and rows.max() < shape[0] - 1 and cols.max() < shape[1] - 1)
