"""Verdicts that are kept with the result that they are about."""

import dataclasses
import json

import numpy as np
import pytest

from napari_sem4d import api
from napari_sem4d.errors import StoreError
from napari_sem4d.io.store import ResultStore
from napari_sem4d.verification import Tolerances, Verification
from napari_sem4d.verification.comparison import Band, Comparison, Interval

ATTRS = dict.fromkeys(("datum", "settings", "calibration", "software", "device", "seeds", "inputs"), "")


def verification(frame=0, scale=1.004):
    effect = Interval(0.016, 0.014, 0.018, 0.007)
    comparison = Comparison(
        Interval(scale, 0.989, 1.015, 0.02),
        (Interval(0.98, 0.97, 0.99, 0.01),),
        effect,
        (Band(0, (-5.0, 5.0), 900, 0.4, Interval(0.01, 0.0, 0.02, 0.015)),),
    )
    return Verification(
        "agrees", ("It agrees.",), frame, ("A",), "Cu", True, comparison, None, Tolerances(), 900, 100, 0, (), 3.2
    )


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "Ergebnis ü.zarr"
    made = ResultStore.create(
        path, times=[0.0, 1.0], shape=(4, 5), pixel_nm=2.0,
        attrs=ATTRS | {"scale_status": "relative", "warnings": "[]"},
    )  # fmt: skip
    for frame in range(2):
        write(made, frame, 1.0 + frame)
    return path


def write(store, frame, height):
    image = np.full((4, 5), height)
    store.write_frame(
        frame, height=image, height_std=image, relative_yield=image, quality=image.astype(np.uint16), misfit=1.0
    )


def test_a_verdict_that_was_kept_comes_back_whole(store):
    kept = api.keep_verification(store, verification(frame=1))
    found = api.kept_verifications(api.open_result(store))
    assert found == {1: kept}
    assert found[1].verification == verification(frame=1)


def test_the_newest_verdict_of_a_frame_replaces_the_older_and_leaves_the_others(store):
    for frame, scale in ((0, 1.0), (1, 1.1), (0, 1.2)):
        api.keep_verification(store, verification(frame, scale))
    found = api.kept_verifications(api.open_result(store))
    assert {f: k.verification.comparison.height_scale.value for f, k in found.items()} == {0: 1.2, 1: 1.1}


def test_a_verdict_is_not_shown_for_heights_that_it_is_not_about(store):
    api.keep_verification(store, verification())
    write(ResultStore(store), 0, 7.0)
    assert api.kept_verifications(api.open_result(store)) == {}


def test_a_verdict_of_another_version_is_left_out(store):
    api.keep_verification(store, verification())
    entries = json.loads(api.open_result(store).attrs["verifications"])
    del entries[0]["verification"]["comparison"]
    ResultStore(store).set_attrs(verifications=json.dumps([*entries, 3, {"date": 1}]))
    assert api.kept_verifications(api.open_result(store)) == {}


def test_without_a_result_nothing_is_kept(tmp_path):
    with pytest.raises(StoreError, match="no result"):
        api.keep_verification(tmp_path / "none.zarr", verification())


def test_a_run_can_still_be_resumed_after_a_verdict(store):
    api.keep_verification(store, dataclasses.replace(verification(), seed=4))
    assert ResultStore.resume(store, match={"scale_status": "relative"}).pending() == []
