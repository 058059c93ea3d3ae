"""On what a benchmark ran, and times on the clock and of the processor (which other programs do not lengthen)."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


def conditions() -> dict[str, str]:
    """Processor, cores that may be used, Python, and how busy the machine is as the benchmark starts."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "machine": f"{name or platform.machine()}, {cores} cores, Python {platform.python_version()}",
        "load before the start (jobs that run, mean of 1 min)": load,
    }


@dataclass
class Times:
    """Times of repeated work, ms."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def add(self, work: Callable[[], object]) -> None:
        """Do the work once with both clocks running."""
        start, used = time.perf_counter(), time.process_time()
        work()
        self.processor.append(1e3 * (time.process_time() - used))
        self.wall.append(1e3 * (time.perf_counter() - start))

    def figures(self, name: str) -> dict[str, float]:
        """Median and fastest time on the clock, median of the processor (all threads together)."""
        return {
            f"{name}: median, ms": statistics.median(self.wall),
            f"{name}: fastest, ms": min(self.wall),
            f"{name}: processor, median ms": statistics.median(self.processor),
        }


def print_figures(figures: dict[str, float | int | str]) -> None:
    """One figure a line, values under each other."""
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name:<{width}}  {value:.1f}" if isinstance(value, float) else f"{name:<{width}}  {value}")
