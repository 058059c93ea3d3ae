"""Which libraries of the operating system the window needs, and how to get those that are missing.

Only the standard library is used: the environment is built with this file before anything is installed.
"""

from __future__ import annotations

import ctypes
import shutil
import sys

DEBIAN_PACKAGES = {
    "xvfb": "Xvfb",
    "xauth": "xauth",
    "libegl1": "libEGL.so.1",
    "libdbus-1-3": "libdbus-1.so.3",
    "libglib2.0-0": "libglib-2.0.so.0",
    "libfontconfig1": "libfontconfig.so.1",
    "libxcb-cursor0": "libxcb-cursor.so.0",
    "libxcb-icccm4": "libxcb-icccm.so.4",
    "libxcb-keysyms1": "libxcb-keysyms.so.1",
    "libxcb-shape0": "libxcb-shape.so.0",
    "libxcb-xkb1": "libxcb-xkb.so.1",
    "libxkbcommon-x11-0": "libxkbcommon-x11.so.0",
}
"""Package of Debian and Ubuntu, and the program or library in it that tells whether it is there.

Xvfb and xauth are a screen in memory: only tests and pictures without a screen need them.
"""

HEADLESS_ONLY = ("xvfb", "xauth")


def missing_packages() -> list[str]:
    """Debian packages that this machine lacks; empty on systems other than Linux, where Qt brings its own."""
    if not sys.platform.startswith("linux"):
        return []
    return [package for package, part in DEBIAN_PACKAGES.items() if not _is_there(part)]


def install_line(packages: list[str]) -> str:
    """Command that installs packages on Debian and Ubuntu."""
    return f"apt-get install -y --no-install-recommends {' '.join(packages)}"


def _is_there(part: str) -> bool:
    if ".so." not in part:
        return shutil.which(part) is not None
    try:
        ctypes.CDLL(part)
    except OSError:
        return False
    return True
