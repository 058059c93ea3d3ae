"""Which OpenGL draws the viewer: on a software renderer the 3D mesh is made coarser."""

from __future__ import annotations

from functools import lru_cache

SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software", "gdi generic", "basic render")


@lru_cache(maxsize=1)
def renderer() -> str:
    """Name of the OpenGL renderer; empty where there is no OpenGL or no running Qt application."""
    from qtpy.QtGui import QOffscreenSurface, QOpenGLContext
    from qtpy.QtWidgets import QApplication

    if QApplication.instance() is None or QApplication.platformName() == "offscreen":
        return ""
    surface = QOffscreenSurface()
    surface.create()
    context = QOpenGLContext()
    current = QOpenGLContext.currentContext()
    held = current.surface() if current is not None else None
    if not (context.create() and context.makeCurrent(surface)):
        return ""
    try:
        from vispy.gloo import gl

        name = gl.glGetParameter(gl.GL_RENDERER)
    finally:
        context.doneCurrent()
        if current is not None and held is not None:
            current.makeCurrent(held)
    return str(name or "")


def mesh_side() -> int:
    """Most vertices along a side of the 3D mesh: 256, or 128 where the processor does the drawing."""
    name = renderer().lower()
    return 128 if not name or any(word in name for word in SOFTWARE) else 256
