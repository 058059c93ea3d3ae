import numpy as np
import pytest
from metrology_surfaces import correlated

from napari_sem4d.metrology.areal_feature import significant_peaks


def heights_above_saddles(z):
    """Flood from above, pixel by pixel: the height of each peak above the pass to a higher one."""
    ny, nx = z.shape
    flat = z.ravel()
    parent, peak, found = {}, {}, []

    def root(i):
        while parent[i] != i:
            i = parent[i]
        return i

    for i in np.argsort(-flat, kind="stable").tolist():
        r, c = divmod(i, nx)
        near = {
            root(k)
            for k in (rr * nx + cc for rr in range(r - 1, r + 2) for cc in range(c - 1, c + 2) if 0 <= cc < nx)
            if 0 <= k < ny * nx and k in parent
        }
        parent[i], peak[i] = i, i
        if near:
            first, *others = sorted(near, key=lambda k: -flat[peak[k]])
            for k in others:
                found.append(flat[peak[k]] - flat[i])
                parent[k] = first
            parent[i] = first
    return np.array(found)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["noise", "quantised", "smooth"])
def test_pruning_keeps_the_peaks_that_a_flood_from_above_keeps(seed, kind):
    noise = np.random.default_rng(seed).normal(size=(90, 70)).astype(np.float32).astype(float)
    z = {
        "noise": noise,
        "quantised": np.round(noise * 2) / 2,
        "smooth": correlated(60, 60, 1.0, seed, n=90)[:, :70],
    }[kind]
    above = heights_above_saddles(z)
    span = z.max() - z.min()
    for part in (0.05, 0.13, 0.31, 0.47):
        # The highest peak of all always stays.
        assert significant_peaks(z, 1.0, part).row.size == 1 + (above >= part * span).sum()
