"""Samples the lines of the Profile dock; posterior draws are read in a thread and join when they are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from napari_sem4d.metrology.profile import Profile
from napari_sem4d.widgets.background import Sentence, run_in_thread
from napari_sem4d.widgets.height_source import HeightSource
from napari_sem4d.widgets.profile_compare import Overlay
from napari_sem4d.widgets.profile_curves import Curve
from napari_sem4d.widgets.profile_model import Line


class Sampler:
    """Curves of lines on maps.

    Parameters
    ----------
    arrived : callable
        Called in the main thread when draws have been read: the curves can be had with them now.
    """

    def __init__(self, arrived: Callable[[], None]) -> None:
        self._arrived = arrived
        self._key: Any = None
        self._draws: np.ndarray | None = None
        self._wanted: Any = None
        self._profiles: dict[tuple[str, bytes], Profile] = {}
        self._where: Any = None
        self._worker: Any = None

    def curves(
        self, source: HeightSource, index: tuple[int, ...], lines: Sequence[Line], width_px: float, live: bool
    ) -> list[Curve]:
        """Sample all lines on one frame.

        ``live`` keeps a drag smooth: only what has moved is sampled anew, and without the draws.
        """
        height, std, time = source.height(index), source.height_std(index), source.time_text(index)
        draws = None if live else self._draws_of(source, index)
        where = (id(source.layer), index, width_px)
        kept = self._profiles if live and where == self._where else {}
        found = {}
        for line in lines:
            at = (line.kind, np.asarray(line.points).tobytes())
            found[at] = kept.get(at) or found.get(at) or line.sample(source, height, std, width_px, draws)
        self._profiles, self._where = found, where
        return [Curve(line, found[line.kind, np.asarray(line.points).tobytes()], source, time) for line in lines]

    @staticmethod
    def overlay_curves(line: Line, overlays: Sequence[Overlay], width_px: float) -> list[Curve]:
        """Sample one line on other frames or maps."""
        return [
            Curve(line, line.sample(src, src.height(at), None, width_px), src, src.time_text(at), words)
            for src, at, words in overlays
        ]

    def forget(self) -> None:
        """The frames have changed: read the draws again when they are wanted."""
        self._key = self._draws = None

    def _draws_of(self, source: HeightSource, index: tuple[int, ...]) -> np.ndarray | None:
        if not source.has_draws:
            return None
        key = (id(source.layer), index)
        if key == self._key:
            return self._draws
        self._wanted = key
        if self._worker is None:
            self._worker = run_in_thread(lambda: (key, source.read_draws(index)), self._take)
        return None

    def _take(self, answer: Any) -> None:
        self._worker = None
        if isinstance(answer, Sentence):  # damaged draws: the standard uncertainties serve instead
            self._key, self._draws = self._wanted, None
            return
        self._key, self._draws = answer
        if self._draws is not None or self._key != self._wanted:
            self._arrived()

    def close(self) -> None:
        """Nothing is told any more."""
        self._arrived = _nothing


def _nothing() -> None:
    pass
