"""What the tests of the viewer share."""

import gc

import pytest
from qtpy.QtCore import QSettings


@pytest.fixture
def viewer_model(qtbot):
    """A viewer without a window; closed views are collected."""
    from napari.components import ViewerModel

    viewer = ViewerModel()
    yield viewer
    viewer.layers.clear()
    gc.collect()


@pytest.fixture(autouse=True)
def _own_settings(tmp_path):
    """What the docks remember goes into a folder of the test."""
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path / "settings"))
