"""All profile lines of a dock with undo and redo (no Qt)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from psygnal import Signal

from napari_sem4d.errors import InputError
from napari_sem4d.widgets.profile_model import Line, Lines, new_name, same_lines

MOST = 100
"""States that undo remembers."""


class LineBook:
    """The lines, and every state that they had.

    ``moved`` is emitted while something is being dragged, ``changed`` when a change is complete. A change that
    is complete can be undone as one. ``moved_last`` names the line that the last
    change drew or moved, if it did.
    """

    moved = Signal()
    changed = Signal()

    def __init__(self) -> None:
        self.lines: Lines = ()
        self.moved_last: str | None = None
        self._committed: Lines = ()
        self._undo: list[Lines] = []
        self._redo: list[Lines] = []

    # --- changing ---------------------------------------------------------------------------------------

    def preview(self, lines: Lines) -> None:
        """Show lines that are being dragged; the state that undo returns to stays."""
        self._take(lines)
        self.moved.emit()

    def commit(self, lines: Lines) -> None:
        """Take lines as the new state; nothing happens where they are the same."""
        self._take(lines)
        if same_lines(lines, self._committed):
            return
        self._undo = [*self._undo, self._committed][-MOST:]
        self._redo = []
        self._committed = lines
        self.changed.emit()

    def undo(self) -> bool:
        """Take back the last change; False when there is none."""
        return self._travel(self._undo, self._redo)

    def redo(self) -> bool:
        """Do again what was taken back; False when there is nothing."""
        return self._travel(self._redo, self._undo)

    def _travel(self, back: list[Lines], forth: list[Lines]) -> bool:
        if not back:
            return False
        forth.append(self._committed)
        self._committed = back.pop()
        self._take(self._committed)
        self.changed.emit()
        return True

    def _take(self, lines: Lines) -> None:
        """Take over lines, and note which of them is new or lies elsewhere than before."""
        before = {line.name: line.points for line in self.lines}
        self.moved_last = None
        for line in lines:
            if line.name not in before or not np.array_equal(before[line.name], line.points):
                self.moved_last = line.name
        self.lines = lines

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether there is a change to do again."""
        return bool(self._redo)

    # --- one line ---------------------------------------------------------------------------------------

    def line(self, name: str | None) -> Line | None:
        """The line with this name."""
        return next((line for line in self.lines if line.name == name), None)

    def free_name(self) -> str:
        """A name for a new line."""
        return new_name({line.name for line in self.lines})

    def change(self, name: str, done: bool = True, /, **what: Any) -> None:
        """Replace attributes of a line.

        Parameters
        ----------
        name : str
            The line.
        done : bool
            False while something is being dragged.
        **what
            Attributes of :class:`Line` with their new values.
        """
        lines = tuple(replace(line, **what) if line.name == name else line for line in self.lines)
        if done:
            self.commit(lines)
        else:
            self.preview(lines)

    def rename(self, old: str, new: str) -> str:
        """Give a line another name.

        Returns
        -------
        str
            The name as it is used (without blanks around it).

        Raises
        ------
        InputError
            If the name is empty or another line has it.
        """
        new = " ".join(new.split())
        if not new:
            raise InputError("A line needs a name: type at least one letter.")
        if new != old and self.line(new) is not None:
            raise InputError(f"Another line is called {new!r} already: choose another name.")
        self.change(old, name=new)
        return new

    def remove(self, name: str) -> None:
        """Remove a line; it can be had back by undo."""
        self.commit(tuple(line for line in self.lines if line.name != name))
