"""Build the one environment, .venv: system libraries, virtual environment, pinned packages, this package.

Runs on a bare Debian or Ubuntu with nothing but Python 3.11 to 3.13 (standard library only). As root it
installs what the system lacks; otherwise it prints the exact line to run.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
sys.path.insert(0, str(ROOT / "src"))

from napari_sem4d.system_libraries import install_line, missing_packages  # noqa: E402


def run(*command: str | Path) -> None:
    print("+", shlex.join(map(str, command)), flush=True)
    subprocess.run([str(part) for part in command], check=True)


def system_packages() -> list[str]:
    missing = missing_packages()
    if importlib.util.find_spec("ensurepip") is None:  # Debian keeps it in a package of its own
        missing.append(f"python{sys.version_info.major}.{sys.version_info.minor}-venv")
    return missing


def install_system_packages() -> None:
    missing = system_packages()
    if not missing:
        return
    line = install_line(missing)
    if not Path("/usr/bin/apt-get").exists():
        sys.exit(f"This system lacks parts that the window needs. On Debian they come with:\n\n    {line}\n")
    if os.geteuid() != 0:
        sys.exit(
            f"This system lacks parts that the window needs. Run this line, then make again:\n\n    sudo {line}\n"
        )
    run("apt-get", "update", "-q")
    run("env", "DEBIAN_FRONTEND=noninteractive", *shlex.split(line))
    still = system_packages()
    if any("venv" not in package for package in still):
        sys.exit(f"Still missing after the installation: {' '.join(still)}")


def make_venv() -> Path:
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    works = (
        python.exists() and subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0
    )
    if not works:
        print(f"+ making {VENV}", flush=True)
        venv.create(VENV, clear=True, with_pip=False)
        run(python, "-m", "ensurepip", "--upgrade", "--default-pip")
    return python


def main() -> None:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(
            f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}: make PYTHON=/path/to/python3.11"
        )
    install_system_packages()
    python = make_venv()
    constraints = ROOT / "constraints.txt"
    quiet = ("--disable-pip-version-check", "--no-input", "-q", "--progress-bar", "off")
    run(python, "-m", "pip", "install", *quiet, "-c", constraints, "--upgrade", "pip")
    extra = shlex.split(os.environ.get("PIP_ARGS", ""))
    run(python, "-m", "pip", "install", *quiet, *extra, "-c", constraints, "-e", f"{ROOT}[test,docs,surface-io]")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"This step failed (exit code {error.returncode}): {shlex.join(map(str, error.cmd))}")
