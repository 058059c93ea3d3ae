"""The command line ``sem4d``. Nothing heavy is imported before a command needs it."""

from napari_sem4d.cli.main import app

__all__ = ["app"]
