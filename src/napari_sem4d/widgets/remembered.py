"""What is remembered from one session to the next (folders)."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSettings


def _settings() -> QSettings:
    return QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, "napari-sem4d", "widgets")


def remembered_folder(key: str) -> Path:
    """The folder last used for ``key``; the home folder where there is none."""
    found = _settings().value(f"folders/{key}", "")
    folder = Path(str(found)) if found else Path.home()
    return folder if folder.is_dir() else Path.home()


def remember_folder(key: str, folder: Path) -> None:
    """Remember ``folder`` for ``key``."""
    _settings().setValue(f"folders/{key}", str(folder))
