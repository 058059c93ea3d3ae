"""What the tests of the viewer share."""

import gc

import pytest


@pytest.fixture
def viewer_model(qtbot):
    """A viewer without a window; closed views are collected."""
    from napari.components import ViewerModel

    viewer = ViewerModel()
    yield viewer
    viewer.layers.clear()
    gc.collect()
