"""Material ratio curve and the functional parameters of ISO 25178-2:2021, clause 4.5.

Sk comes from the least-squares line over the 40 % window in which the curve is flattest (ISO 13565-2 for
profiles); Spk and Svk from triangles of equal area; the volume parameters from integrals of the curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage, signal

from napari_sem4d.errors import DomainError

_WINDOW = 0.4


@dataclass(frozen=True)
class CoreParameters:
    """Sk, Spk, Svk in nm; material ratios Smrk1, Smrk2 in percent; the line's height at 0 and 100 %, nm."""

    sk: float
    spk: float
    svk: float
    smrk1: float
    smrk2: float
    upper_nm: float
    lower_nm: float


class MaterialRatioCurve:
    """Areal material ratio (Abbott-Firestone) curve of the finite heights, nm.

    Parameters
    ----------
    heights : ndarray of any shape
        nm; values that are not finite are left out. Heights are measured from their mean.

    Raises
    ------
    DomainError
        If fewer than 10 heights are finite.
    """

    def __init__(self, heights: np.ndarray) -> None:
        values = np.asarray(heights)
        values = values[np.isfinite(values)]
        if values.size < 10:
            raise DomainError("A material ratio curve needs at least 10 valid heights: choose a larger region.")
        self.mean_nm = float(values.mean(dtype=np.float64))
        self.descending = np.sort(values)[::-1].astype(np.float64) - self.mean_nm

    def height_at(self, ratio_percent: float | np.ndarray) -> np.ndarray:
        """Height in nm above the mean at which so many percent of the area lie higher (Sdc)."""
        n = self.descending.size
        position = np.asarray(ratio_percent, dtype=float) / 100.0 * n - 0.5
        position = np.clip(position, 0, n - 1)
        low = np.minimum(position.astype(int), n - 2)
        part = position - low
        return self.descending[low] * (1 - part) + self.descending[low + 1] * part

    def ratio_at(self, height_nm: float | np.ndarray) -> np.ndarray:
        """Percentage of the area above a height (nm above the mean): Smc."""
        above = np.searchsorted(-self.descending, -np.asarray(height_nm, dtype=float))
        return 100.0 * above / self.descending.size

    def sampled(self, points: int = 501) -> tuple[np.ndarray, np.ndarray]:
        """The curve for a plot: ratios in percent and heights in nm, each of shape (points,)."""
        ratios = np.linspace(0.0, 100.0, points)
        return ratios, self.height_at(ratios)

    @cached_property
    def _area(self) -> np.ndarray:
        """Cumulated sum of heights from the top, so integrals of the curve are differences."""
        return np.concatenate([[0.0], np.cumsum(self.descending)])

    def _integral(self, ratio: float) -> float:
        """Integral of the height from 0 to ``ratio`` (0 to 1), nm."""
        n = self.descending.size
        position = min(max(ratio, 0.0), 1.0) * n
        whole = min(int(position), n - 1)
        return float(self._area[whole] + (position - whole) * self.descending[whole]) / n

    @cached_property
    def core(self) -> CoreParameters:
        """Sk, Spk, Svk and their material ratios.

        Raises
        ------
        DomainError
            If all heights are equal.
        """
        z = self.descending
        n = z.size
        if z[0] <= z[-1]:
            raise DomainError("All heights are equal, so the surface has no core roughness: nothing to measure.")
        m = max(2, round(_WINDOW * n))
        drop = z[: n - m + 1] - z[m - 1 :]
        # Ties (quantised heights) give a run of equally flat windows: the middle one is taken.
        flattest = np.flatnonzero(drop <= drop.min() * (1 + 1e-12))
        start = int(flattest[len(flattest) // 2])
        ratio = (np.arange(start, start + m) + 0.5) / n
        part = z[start : start + m]
        centred = ratio - ratio.mean()
        slope = float(centred @ part / (centred @ centred))
        upper = float(part.mean() - slope * ratio.mean())
        lower = upper + slope
        mr1, mr2 = float(self.ratio_at(upper)) / 100.0, float(self.ratio_at(lower)) / 100.0
        peaks = self._integral(mr1) - upper * mr1
        valleys = lower * (1 - mr2) - (self._integral(1.0) - self._integral(mr2))
        return CoreParameters(
            sk=upper - lower,
            spk=2 * peaks / mr1 if mr1 > 0 else 0.0,
            svk=2 * valleys / (1 - mr2) if mr2 < 1 else 0.0,
            smrk1=100 * mr1,
            smrk2=100 * mr2,
            upper_nm=upper,
            lower_nm=lower,
        )

    def material_volume(self, ratio_percent: float) -> float:
        """Vm: material above the height of that ratio, per area, nm (= nm3/nm2)."""
        p = ratio_percent / 100.0
        return self._integral(p) - p * float(self.height_at(ratio_percent))

    def void_volume(self, ratio_percent: float) -> float:
        """Vv: void below the height of that ratio, per area, nm (= nm3/nm2)."""
        p = ratio_percent / 100.0
        below = self._integral(1.0) - self._integral(p)
        return (1 - p) * float(self.height_at(ratio_percent)) - below

    @property
    def vmp(self) -> float:
        """Peak material volume, nm: Vm(10 %)."""
        return self.material_volume(10.0)

    @property
    def vmc(self) -> float:
        """Core material volume, nm: Vm(80 %) - Vm(10 %)."""
        return self.material_volume(80.0) - self.material_volume(10.0)

    @property
    def vvc(self) -> float:
        """Core void volume, nm: Vv(10 %) - Vv(80 %)."""
        return self.void_volume(10.0) - self.void_volume(80.0)

    @property
    def vvv(self) -> float:
        """Dale void volume, nm: Vv(80 %)."""
        return self.void_volume(80.0)

    @property
    def sxp(self) -> float:
        """Peak extreme height, nm: height at 2.5 % minus height at 50 %."""
        return float(self.height_at(2.5) - self.height_at(50.0))

    @cached_property
    def is_bimodal(self) -> bool:
        """Whether the heights form two separate groups, so that one core line means nothing.

        Two maxima of the smoothed histogram count when each side holds at least a tenth of the area and the
        valley between them is less than 0.7 of the lower maximum.
        """
        z = self.descending
        low, high = z[-1], z[0]
        sigma = float(z.std())
        if high <= low or sigma == 0:
            return False
        bins = int(np.clip(np.ceil((high - low) / (0.05 * sigma)), 32, 2000))
        counts = np.histogram(z, bins=bins, range=(low, high))[0].astype(float)
        # Wide enough to hide the noise of the histogram, narrow enough to keep two steps of 1 sigma apart.
        width = 0.15 * sigma / ((high - low) / bins)
        smooth = ndimage.gaussian_filter1d(counts, width, mode="constant")
        peaks, _ = signal.find_peaks(np.concatenate([[0.0], smooth, [0.0]]))
        cumulated = np.cumsum(counts) / counts.sum()
        peaks = peaks - 1
        for i, first in enumerate(peaks):
            for second in peaks[i + 1 :]:
                valley = first + int(np.argmin(smooth[first : second + 1]))
                mass = cumulated[valley]
                if 0.1 <= mass <= 0.9 and smooth[valley] < 0.7 * min(smooth[first], smooth[second]):
                    return True
        return False
