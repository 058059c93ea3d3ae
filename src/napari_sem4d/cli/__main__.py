"""``python -m napari_sem4d.cli``: the command line where the script ``sem4d`` is not on the path."""

from napari_sem4d.cli import app

app(prog_name="sem4d")
