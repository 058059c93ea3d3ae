"""Connections that end with the widget that they serve."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QWidget


def connect_while_alive(widget: QWidget, signal: Any, slot: Callable[..., Any]) -> None:
    """Connect ``slot`` to a napari or psygnal signal until Qt destroys ``widget``.

    napari removes docks without closing them; a slot of a widget that Qt has destroyed would raise.

    Parameters
    ----------
    widget : QWidget
        Whose life counts.
    signal : EventEmitter or psygnal SignalInstance
        What is listened to.
    slot : callable
        Usually a method of the widget.
    """
    signal.connect(slot)

    def let_go(*_: object) -> None:
        with contextlib.suppress(ValueError, RuntimeError):  # disconnected already
            signal.disconnect(slot)

    widget.destroyed.connect(let_go)
