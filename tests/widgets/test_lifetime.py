"""Connections to napari's signals end with their widget, however it ends."""

import gc
import weakref

import pytest
from napari.utils.events import EventEmitter
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QWidget

from napari_sem4d.widgets import lifetime


class Listener(QWidget):
    heard = 0

    def hear(self, event=None):
        type(self).heard += 1


@pytest.fixture
def signal():
    Listener.heard = 0
    return EventEmitter(type_name="moved")


def test_a_widget_that_qt_destroys_is_not_called_any_more(qapp, signal):
    before = len(lifetime._waiting)
    widget = Listener()
    lifetime.connect_while_alive(widget, signal, widget.hear)
    signal()
    assert (Listener.heard, len(lifetime._waiting)) == (1, before + 1)
    widget.deleteLater()
    QCoreApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)
    signal()
    assert (Listener.heard, len(lifetime._waiting)) == (1, before)


def test_a_connection_keeps_no_widget_alive_that_nobody_holds(qapp, signal):
    before = len(lifetime._waiting)
    widget = Listener()
    lifetime.connect_while_alive(widget, signal, widget.hear)
    gone = weakref.ref(widget)
    del widget
    gc.collect()
    assert gone() is None
    signal()
    assert (Listener.heard, len(lifetime._waiting)) == (0, before)
