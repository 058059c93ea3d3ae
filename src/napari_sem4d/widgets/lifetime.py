"""Connections that end with the widget that they serve."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import MethodType
from typing import Any
from weakref import WeakMethod

from qtpy.QtWidgets import QWidget

# Held from outside: the garbage collector must neither empty what Qt will call when a widget dies with its wrapper
# (PyQt6 then ends the program), nor find the widget alive because of it.
_waiting: set[Callable[..., None]] = set()


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
    remembered: Callable[[], Any] = WeakMethod(slot) if isinstance(slot, MethodType) else lambda: slot

    def let_go(*_: object) -> None:
        _waiting.discard(let_go)
        found = remembered()
        if found is not None:
            with contextlib.suppress(ValueError, RuntimeError):  # disconnected already
                signal.disconnect(found)

    _waiting.add(let_go)
    widget.destroyed.connect(let_go)
