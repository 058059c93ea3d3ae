"""What leaves the Profile dock: CSV, clipboard, figure, file of lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QPushButton, QWidget

from napari_sem4d.errors import Sem4dError
from napari_sem4d.widgets.profile_curves import curves_csv, text_table
from napari_sem4d.widgets.remembered import remember_folder, remembered_folder

if TYPE_CHECKING:
    from napari_sem4d.widgets.profile import Profile

FOLDER = "profiles"


class ProfileFiles(QWidget):
    """A row of buttons that save and copy what the dock shows.

    Parameters
    ----------
    dock : Profile
        The dock.
    """

    def __init__(self, dock: Profile) -> None:
        super().__init__(dock)
        self.dock = dock
        self.csv_button = self._button("CSV…", "Save what the plot shows as text with units, for a spreadsheet")
        self.csv_button.clicked.connect(self.ask_csv)
        self.copy_button = self._button("Copy", "Copy to the clipboard, for a spreadsheet or a report")
        menu = QMenu(self)
        self.copy_profiles = menu.addAction("Profiles", self.copy)
        self.copy_table = menu.addAction("Table of figures", self.copy_figures)
        self.copy_picture = menu.addAction("Picture of the plot", self.copy_plot)
        self.copy_button.setMenu(menu)
        self.figure_button = self._button("Figure…", "Save map and plot with scale and units (PNG, SVG, PDF)")
        self.figure_button.clicked.connect(self.ask_figure)
        self.lines_button = self._button("Lines", "Keep the lines in a file, or have them back from one")
        lines = QMenu(self)
        self.save_lines_action = lines.addAction("Save lines…", self.ask_save_lines)
        self.load_lines_action = lines.addAction("Load lines…", self.ask_load_lines)
        self.lines_button.setMenu(lines)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for button in (self.csv_button, self.copy_button, self.figure_button, self.lines_button):
            row.addWidget(button, 1)

    def _button(self, text: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setMinimumWidth(40)
        return button

    # --- text -------------------------------------------------------------------------------------------

    def text(self, separator: str = ",") -> str:
        """What the plot shows as text: the kymograph in that mode, otherwise all curves."""
        if self.dock.history is not None:
            return self.dock.history.csv(separator)
        return curves_csv(self.dock.curves, separator) if self.dock.curves else ""

    def _nothing(self) -> bool:
        if self.dock.curves:
            return False
        self.dock.message.say(f"There is no line yet. {self.dock.hint()}", "ask")
        return True

    def ask_csv(self) -> None:
        """Ask for a file and write what the plot shows to it."""
        path = self._ask("Save the profiles", "profiles.csv", "CSV (*.csv)", ".csv")
        if path is not None:
            self._write(path, lambda: path.write_text(self.text(), encoding="utf-8"))

    def copy(self) -> None:
        """Put what the plot shows on the clipboard."""
        if not self._nothing():
            QGuiApplication.clipboard().setText(self.text("\t"))
            what = "the kymograph" if self.dock.history is not None else f"{len(self.dock.curves)} profiles"
            self.dock.message.say(f"Copied {what}.")

    def copy_figures(self) -> None:
        """Put the table on the clipboard."""
        if not self._nothing():
            QGuiApplication.clipboard().setText(text_table(self.dock.table.texts(), "\t"))
            self.dock.message.say("Copied the table.")

    def copy_plot(self) -> None:
        """Put a picture of the plot on the clipboard."""
        if not self._nothing():
            QGuiApplication.clipboard().setPixmap(self.dock.stack.currentWidget().grab())
            self.dock.message.say("Copied a picture of the plot; 'Figure' saves a finer one.")

    # --- figure -----------------------------------------------------------------------------------------

    def ask_figure(self) -> None:
        """Ask for a file and save a figure of map and plot."""
        kinds = "PNG (*.png);;SVG (*.svg);;PDF (*.pdf)"
        path = self._ask("Save a figure", "profiles.png", kinds, ".png")
        if path is not None:
            self._write(path, lambda: self._save_figure(path))

    def _save_figure(self, path: Path) -> None:
        from napari_sem4d.widgets.profile_figure import kymograph_figure, profile_figure, save_figure

        dock = self.dock
        source = dock.source
        assert source is not None
        height = source.height(source.index(dock.viewer.dims))
        if dock.history is not None:
            figure = kymograph_figure(dock.history, height)
        else:
            cursors = dock.cursors_of_chosen()
            step = dock.shown_step()
            named = (str(dock.chosen), step) if step is not None else None
            figure = profile_figure(dock.curves, height, cursors, named, dock.compare.band.isChecked())
        save_figure(figure, path)

    # --- lines ------------------------------------------------------------------------------------------

    def ask_save_lines(self) -> None:
        """Ask for a file and keep the lines in it."""
        from napari_sem4d.widgets.profile_session import save_session, session_of

        path = self._ask("Save the lines", "profile-lines.json", "Profile lines (*.json)", ".json")
        if path is not None and self.dock.source is not None:
            session = session_of(self.dock.book.lines, self.dock.source, self.dock.width.value())
            self._write(path, lambda: save_session(path, session))

    def ask_load_lines(self) -> None:
        """Ask for a file of lines and take these (undo brings the old ones back)."""
        start = str(remembered_folder(FOLDER))
        name, _ = QFileDialog.getOpenFileName(self, "Load lines", start, "Profile lines (*.json);;All files (*)")
        if name:
            self.load_lines(Path(name))

    def load_lines(self, path: Path) -> None:
        """Take the lines of a file."""
        from napari_sem4d.widgets.profile_session import load_session

        try:
            self.dock.take_session(load_session(path))
        except Sem4dError as error:
            self.dock.message.say(str(error), "error")
            return
        remember_folder(FOLDER, path.parent)

    # --- files ------------------------------------------------------------------------------------------

    def _ask(self, title: str, name: str, kinds: str, ending: str) -> Path | None:
        if self._nothing():
            return None
        start = str(remembered_folder(FOLDER) / name)
        found, kind = QFileDialog.getSaveFileName(self, title, start, kinds)
        if not found:
            return None
        path = Path(found)
        chosen = next((e for e in (".png", ".svg", ".pdf") if kind and f"*{e}" in kind), ending)
        return path if path.suffix else path.with_suffix(chosen)

    def _write(self, path: Path, write: Callable[[], object]) -> None:
        try:
            write()
        except Sem4dError as error:
            self.dock.message.say(str(error), "error")
        except OSError as error:
            reason = error.strerror or error
            self.dock.message.say(f"{path} could not be written ({reason}). Choose another folder.", "error")
        else:
            remember_folder(FOLDER, path.parent)
            self.dock.message.say(f"Saved to {path}.")
