"""Run the benchmarks one after the other, each in a process of its own, and keep what they print.

    python -m benchmarks [NAME ...] [--list] [--out FOLDER]

Every script of this folder is a benchmark of its own with its own options; here each runs with its defaults.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def scripts() -> dict[str, Path]:
    """Scripts that can be run, by name."""
    return {
        path.stem: path
        for path in sorted(HERE.glob("*.py"))
        if not path.name.startswith("_") and '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    }


def main() -> int:
    known = scripts()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmarks.")
    parser.add_argument("names", nargs="*", help=f"of: {', '.join(known)}; all without a name")
    parser.add_argument("--list", action="store_true", help="only name them")
    parser.add_argument("--out", type=Path, default=Path("out") / "benchmarks", help="folder for what they print")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    if options.list:
        print("\n".join(known))
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in options.names or known:
        print(f"== {name}", flush=True)
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(known[name])], stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        (options.out / f"{name}.txt").write_text(done.stdout, encoding="utf-8")
        print(
            f"{done.stdout}== {name}: {time.monotonic() - start:.0f} s, exit code {done.returncode}\n", flush=True
        )
        if done.returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
