import csv
import io

import numpy as np
import pytest

from napari_sem4d.metrology.evaluate import evaluate
from napari_sem4d.metrology.profile import sample_line
from napari_sem4d.metrology.surface import prepare_surface
from napari_sem4d.metrology.tables import figures_csv, profiles_csv


def test_a_table_of_figures_is_read_back_with_its_refusals():
    height = np.random.default_rng(0).normal(0, 5, (64, 64))
    figures = evaluate(prepare_surface(height, 10.0), ["Sq", "Sdq"])
    rows = list(csv.DictReader(io.StringIO(figures_csv(figures, {"frame": "3"}))))
    assert [row["name"] for row in rows] == ["Sq", "Sdq"]
    assert float(rows[0]["value"]) == pytest.approx(figures[0].value, rel=1e-6)
    assert (rows[0]["frame"], rows[0]["unit"], rows[0]["refusal"]) == ("3", "nm", "")
    assert rows[1]["value"] == "" and "S filter" in rows[1]["refusal"]


def test_profiles_stand_below_each_other_with_empty_cells_for_gaps():
    height = np.arange(20.0).reshape(4, 5)
    height[1, 2] = np.nan
    lines = [sample_line(height, 10.0, (1, 0), (1, 4)), sample_line(height, 10.0, (0, 0), (3, 0))]
    rows = list(csv.DictReader(io.StringIO(profiles_csv(lines, ["across", "down, 2"]))))
    assert len(rows) == 9
    assert (rows[2]["profile"], rows[2]["height_nm"], rows[2]["height_std_nm"]) == ("across", "", "")
    assert (rows[-1]["profile"], rows[-1]["distance_nm"], rows[-1]["height_nm"]) == ("down, 2", "30", "15")
