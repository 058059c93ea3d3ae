"""The growth model of the sample movie: what it declares is what its surfaces do."""

import numpy as np
import pytest
from scipy import ndimage

from napari_sem4d.frames import slopes
from napari_sem4d.simulation.redox import FAMILIES, movie
from napari_sem4d.simulation.redox.model import OXIDATION_END_S

FRAMES = range(len(movie.TIMES_S))
FINE_NM = 4.0


@pytest.fixture(scope="module")
def model():
    return movie.redox()


@pytest.fixture(scope="module")
def states(model):
    """What lies below frame 0's pixels at every frame's time."""
    return [movie.surface(model, t, drifted=False) for t in FRAMES]


def around(island, half_nm=160.0):
    along = np.arange(-half_nm, half_nm + FINE_NM, FINE_NM)
    x, y = np.meshgrid(island.x_nm + along, island.y_nm - along)
    return x, y


def alone(model, family, time_s):
    """A large island of a family whose whole square of view it rules."""
    for island in model.islands:
        x, y = around(island)
        roofs = [i.height(x, y, time_s) for i in model.islands if i is not island]
        if island.family == family and (island.height(x, y, time_s) >= np.max(roofs, axis=0)).mean() > 0.9:
            return island
    raise AssertionError(f"no island of {family} stands alone")


def test_the_static_corner_never_changes(states):
    corner = (slice(0, movie.STATIC_PX),) * 2
    for state in states:
        assert np.array_equal(state.height_nm[corner], states[0].height_nm[corner])
        assert not state.oxide_nm[corner].any()


def test_oxide_appears_at_its_time_and_not_before(model):
    first = min(i.nucleation_s for i in model.islands)
    x, y = movie.places(0, movie.BORDER_PX)
    assert not model.state(x, y, first - 0.1).oxide_nm.any()
    for island in model.islands[:5]:
        here = np.array([[island.x_nm]]), np.array([[island.y_nm]])
        assert model.state(*here, island.nucleation_s - 1.0).oxide_nm.item() == 0.0
        assert model.state(*here, island.nucleation_s + 20.0).oxide_nm.item() > 5.0


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_faces_have_the_declared_angles(model, family):
    time_s = 225.0
    island = alone(model, family, time_s)
    x, y = around(island)
    state = model.state(x, y, time_s)
    p, q = slopes(state.height_nm, FINE_NM)
    # Only where all neighbours lie on the same face.
    angle = np.degrees(np.arctan(np.hypot(p, q)))
    even = ndimage.maximum_filter(angle, 3) - ndimage.minimum_filter(angle, 3) < 1e-3
    even &= ndimage.minimum_filter(state.oxide_nm, 3) > 0
    even &= np.abs(state.height_nm - island.height(x, y, time_s)) < 1e-6  # no other island's
    side = even & (angle > 5.0)
    assert (even & (angle < 1e-6)).sum() > 50  # the flat top
    assert side.sum() > 300
    np.testing.assert_allclose(angle[side], FAMILIES[family].inclination_deg, atol=1e-3)
    azimuth = np.degrees(np.arctan2(-q[side], -p[side]))
    folds = FAMILIES[family].folds
    off = (azimuth - island.azimuth_deg + 180.0 / folds) % (360.0 / folds) - 180.0 / folds
    assert np.abs(off).max() < 1e-3
    assert len(set(np.round((azimuth - island.azimuth_deg) / (360.0 / folds)).astype(int) % folds)) == folds


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize(("time_s", "growing"), [(215.0, True), (300.0, False)])
def test_faces_move_at_the_declared_velocities(model, family, time_s, growing):
    island, kind = alone(model, family, time_s), FAMILIES[family]
    x, y = around(island)
    before, after = (model.state(x, y, time_s + dt) for dt in (-1.0, 1.0))
    roof = island.height(x, y, time_s - 1.0)
    own = (before.oxide_nm > 2.0) & (after.oxide_nm > 2.0) & (np.abs(before.height_nm - roof) < 1e-6)
    rate = (after.height_nm - before.height_nm) / 2.0
    p, q = slopes(before.height_nm, FINE_NM)
    angle = np.degrees(np.arctan(np.hypot(p, q)))
    even = own & (ndimage.maximum_filter(angle, 5) - ndimage.minimum_filter(angle, 5) < 1e-3)
    side, top = even & (angle > 5.0), even & (angle < 1.0)
    assert side.sum() > 100
    assert top.sum() > 30
    velocity = np.median(rate[side]) * np.cos(np.radians(kind.inclination_deg))
    assert velocity == pytest.approx(kind.side_growth_nm_s if growing else -kind.side_reduction_nm_s, rel=1e-6)
    assert np.median(rate[top]) == pytest.approx(
        kind.top_growth_nm_s if growing else -kind.top_reduction_nm_s, rel=1e-6
    )


def test_oxide_grows_while_copper_is_oxidised_and_then_goes_altogether(states):
    volume = np.array([s.oxide_nm.sum() for s in states])
    turn = int(np.searchsorted(movie.TIMES_S, OXIDATION_END_S))
    assert 8 <= turn <= 14
    assert (np.diff(volume[:turn]) > 0).all()
    late = volume[turn + 1 :]
    assert (np.diff(late)[late[:-1] > 0] < 0).all()
    assert volume[0] == 0.0
    assert volume[-1] == 0.0
    assert max(s.oxide_nm.max() for s in states) > 100.0


def test_islands_meet(states):
    number = np.array([ndimage.label(s.oxide_nm > 0)[1] for s in states])
    most = int(number.argmax())
    covered = [(s.oxide_nm > 0).mean() for s in states]
    assert number[most] > 15
    assert number[most + 1 : 13].min() < number[most] - 5
    assert max(covered) > 0.5


def test_reduction_leaves_a_rough_surface_with_pits(states):
    first, last = states[0].height_nm, states[-1].height_nm
    stood = np.max([s.oxide_nm for s in states], axis=0)
    deep = stood > 60.0
    assert (last - first)[deep].mean() < -10.0
    assert (last - first)[deep].max() < 0.0
    # Islands grew on for some seconds after the frame before they turned.
    never = ~ndimage.binary_dilation(stood > 0, iterations=3)
    assert never.sum() > 2000
    assert np.array_equal(last[never], first[never])
    rough = [np.hypot(*slopes(h, movie.PIXEL_NM))[deep].std() for h in (first, last)]
    assert rough[1] > 1.5 * rough[0]


def test_nothing_jumps(model):
    x, y = movie.places(0)
    fastest = max(
        max(k.side_growth_nm_s, k.side_reduction_nm_s) / np.cos(np.radians(45.0)) for k in FAMILIES.values()
    )
    for time_s in (60.0, 150.0, OXIDATION_END_S, 275.0, 340.0, 400.0):
        before, after = model.state(x, y, time_s - 0.5), model.state(x, y, time_s + 0.5)
        assert np.abs(after.height_nm - before.height_nm).max() < 1.01 * fastest
        assert np.abs(after.oxide_nm - before.oxide_nm).max() < 2.0 * fastest


def test_a_frame_shows_the_surface_where_the_drift_has_put_it(model, states):
    t = len(FRAMES) - 1
    dx, dy = movie.drift_nm()[t] / movie.PIXEL_NM
    assert np.hypot(dx, dy) > 1.0
    moved = ndimage.shift(states[t].height_nm, (-dy, dx), order=3)
    seen = movie.surface(model, t).height_nm
    inner = (slice(6, -6),) * 2
    assert np.abs(moved - seen)[inner].std() < 0.1 * np.abs(states[t].height_nm - seen)[inner].std()
    assert np.abs(np.diff(movie.drift_nm(), axis=0)).max() < movie.PIXEL_NM


def test_grains_differ_by_a_few_per_cent_where_copper_is_bare(states):
    bare, covered = states[0], states[11]
    assert 0.02 < np.ptp(bare.relative_yield) < 0.15
    thick = covered.oxide_nm > 60.0
    assert np.abs(covered.relative_yield[thick] - 1.0).max() < 1e-3
