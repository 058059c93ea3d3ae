"""What the dock says of a result, in words."""

import numpy as np

from napari_sem4d.verification import Tolerances, Verification
from napari_sem4d.verification.comparison import Band, Comparison, Interval
from napari_sem4d.widgets.result_words import band_table, misfit_text, verdict_text, verdict_tooltip


def verification(scale=True, brightness=None):
    bands = (
        Band(0, (-5.0, 5.0), 900, 0.4, Interval(0.012, 0.002, 0.022, 0.015)),
        Band(1, (-5.0, 5.0), 900, 0.4, Interval(-0.003, -0.013, 0.007, 0.015)),
        Band(1, (30.0, 45.0), 50, 0.1, Interval(0.3, 0.28, 0.32, 0.03)),
    )
    comparison = Comparison(
        Interval(1.004, 0.989, 1.015, 0.02) if scale else None,
        (Interval(1.0, 0.9, 1.1, 0.1),),
        Interval(0.016, 0.014, 0.018, 0.007),
        bands,
    )
    return Verification(
        "agrees", ("It agrees.", "Heights times 1.004."), 0, ("A", "B"), "Cu", True, comparison, brightness,
        Tolerances(), 900, 100, 0, ("A note.",), 3.2,
    )  # fmt: skip


def test_the_verdict_gives_scale_and_effect_with_their_intervals():
    text = verdict_text(verification(brightness=Interval(0.9, 0.8, 1.0, 0.1)))
    assert text == (
        "Agrees: height scale 1.004 (0.989 to 1.015), signals differ by 0.016 (0.014 to 0.018) of a flat's, "
        "brightness 0.900 (0.800 to 1.000)"
    )
    assert "height scale" not in verdict_text(verification(scale=False))


def test_the_table_has_the_steepest_band_on_top_and_says_what_is_hardly_chance():
    rows, columns, cells = band_table(verification())
    assert columns == ["A", "B"]
    assert rows == ["+30 to +45°", "-5 to +5°"]
    assert cells[0][0] is None
    assert cells[0][1].text == "+30.0"
    assert cells[0][1].beyond > 1.0 > cells[1][1].beyond
    assert "3.0 % would have been found" in cells[0][1].tooltip


def test_the_tooltip_holds_reasons_notes_and_how_it_was_found():
    text = verdict_tooltip(verification(), "2026-01-02T03:04:05+00:00")
    for part in (
        "Heights times 1.004.",
        "A note.",
        "Frame 1: 900 pixels of 100 electrons in Cu",
        "2026-01-02 03:04",
    ):
        assert part in text


def test_the_misfit_is_judged_in_words():
    words = [misfit_text(v) for v in (np.nan, 0.5, 1.02, 1.6, 4.0)]
    for text, word in zip(words, ("not finished", "followed", "good", "fair", "poor"), strict=True):
        assert word in text


def test_the_engines_own_error_counts_where_it_is_known():
    text = misfit_text(1.71, 1.03)
    assert text.startswith("Misfit 1.71 (1.03): good")
    assert "engine's error" in text
