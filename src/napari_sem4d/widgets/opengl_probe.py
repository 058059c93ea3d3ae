"""Print the name of the OpenGL renderer: ``python -m napari_sem4d.widgets.opengl_probe``."""

from __future__ import annotations

import sys


def main() -> int:
    """Start Qt, print the renderer; exit code 1 where there is no OpenGL."""
    from qtpy.QtWidgets import QApplication

    from napari_sem4d.widgets.opengl import renderer

    application = QApplication(sys.argv[:1])
    name = renderer()
    application.quit()
    print(name)
    return 0 if name else 1


if __name__ == "__main__":
    sys.exit(main())
