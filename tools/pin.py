"""Write constraints.txt: the versions that are installed in this environment, so that everybody gets the same."""

import re
from importlib.metadata import distributions
from pathlib import Path

HEADER = (
    "# The versions that run together (written by `make constraints`). pip: install -c constraints.txt\n"
    "# Every version must install on the Python of Debian 12 (3.11.2).\n"
    "# Users of the package are not bound by them: pyproject.toml says what it needs.\n"
)
OURS = "napari-sem4d"


def main() -> None:
    pins = {}
    for distribution in distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        # A local part such as +cpu names a build, not a version: 2.13.0 admits every build of it.
        pins[name] = distribution.version.split("+")[0]
    lines = [f"{name}=={version}\n" for name, version in sorted(pins.items()) if name != OURS]
    target = Path(__file__).resolve().parent.parent / "constraints.txt"
    target.write_text(HEADER + "".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
