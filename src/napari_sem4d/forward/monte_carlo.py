"""The engine ``monte_carlo``: every pixel by electrons that are followed; the truth, without a derivative."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np
import torch

from napari_sem4d.acquisition.instrument import Segment
from napari_sem4d.acquisition.orientation import segments_in_image
from napari_sem4d.errors import SettingsError
from napari_sem4d.forward.engine import ForwardSetup
from napari_sem4d.physics.monte_carlo import Binning, Specimen, detector_weights, simulate

ELECTRONS = 1000
"""Primaries a pixel where nothing else is asked for: 18 % noise in a quadrant of 20 to 45 degrees on copper."""
# 0.03 % of the signal from the width of an energy bin (20 bins: 0.1 %); their number costs memory only.
_ENERGY_BINS = 40
_POLAR_BINS = (16, 40)
_AZIMUTH_BINS = (8, 72)
# Edges nearer than this to a bin's edge are as good as on it.
_EDGE_SHARE = 0.02
_BLOCK_ELECTRONS = 400_000
_BLOCK_BYTES = 200_000_000
_MOST_BLOCKS = 200
Pixels = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Block:
    """What a part of the pixels showed.

    Attributes
    ----------
    part : slice
        Of the pixels that were asked for.
    signals, errors : ndarray, shape (K, n)
        Signal units, and the standard error of each (counting of electrons).
    share : float
        Finished share of all blocks, 0 to 1.
    """

    part: slice
    signals: np.ndarray
    errors: np.ndarray
    share: float


class MonteCarloEngine:
    """Electrons followed from collision to collision over the height map, counted into the segments.

    Signals are ``gain x (energy-weighted electrons per primary) x relative yield + offset``, with the reference
    material everywhere below the surface and the terrain mirrored beyond the image (or as ``surroundings`` says).

    Parameters
    ----------
    setup : ForwardSetup
        Instrument with beam energy, probe and segments; material; pixel. Heights are along the beam, as for
        every engine: a tilted stage is a tilted height map.
    dtype : torch.dtype
        Of the tensors that are returned.
    device : torch.device or str
        Where they are returned; the simulation runs on the CPU.
    electrons : int
        Primaries a pixel.
    seed : int
        The same seed gives the same signals whatever the number of threads.
    threads : int, optional
        Threads; all cores by default.
    cancel : threading.Event, optional
        Set it to stop with ``Cancelled``.
    progress : callable, optional
        Is given the finished share, 0 to 1.
    surroundings : {"reflect", "wrap", "edge"}
        How the terrain goes on beyond the image.

    Raises
    ------
    SettingsError
        If the beam energy or the segments are unknown.
    """

    name = "monte_carlo"

    def __init__(
        self,
        setup: ForwardSetup,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        *,
        electrons: int = ELECTRONS,
        seed: int = 0,
        threads: int | None = None,
        cancel: Event | None = None,
        progress: Callable[[float], None] | None = None,
        surroundings: str = "reflect",
    ) -> None:
        energy = setup.instrument.beam.energy_kev
        self.segments = segments_in_image(setup.instrument)
        if energy is None:
            raise SettingsError("the beam energy is not known: set beam.energy_kev (keV)")
        if not self.segments:
            raise SettingsError("the detector has no segments: choose a detector preset or set detector.segments")
        self.setup = setup
        self.dtype = dtype
        self.device = torch.device(device)
        self.electrons = electrons
        self.seed = seed
        self.threads = threads
        self.cancel = cancel
        self.progress = progress
        self.surroundings = surroundings
        self.binning = binning_for(self.segments)
        self._energy_kev = float(energy)
        self._weights = detector_weights(self.segments, self.binning, self._energy_kev)
        self._gain = np.array([s.gain for s in self.segments])[:, None]
        self._offset = np.array([s.offset for s in self.segments])[:, None]

    def expected_signals(self, height: torch.Tensor, relative_yield: torch.Tensor) -> torch.Tensor:
        """Signals (K, Y, X) of a surface; see :class:`~napari_sem4d.forward.engine.Engine`."""
        return self.signals_with_errors(height, relative_yield)[0]

    def signals_with_errors(
        self, height: torch.Tensor, relative_yield: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Signals of a surface and their standard errors.

        Parameters
        ----------
        height, relative_yield : torch.Tensor, shape (Y, X)
            nm; dimensionless.

        Returns
        -------
        signals, errors : torch.Tensor, shape (K, Y, X)
            Signal units. The error is the counting error of the simulation; 0 where no electron arrived.

        Raises
        ------
        Cancelled
            If ``cancel`` was set.
        InputError
            If heights are not finite.
        """
        terrain = height.detach().cpu().numpy().astype(np.float64)
        factor = relative_yield.detach().cpu().numpy().astype(np.float64)
        signals, errors = self.at_pixels(terrain, factor)
        shape = (len(self.segments), *terrain.shape)

        def tensor(values: np.ndarray) -> torch.Tensor:
            return torch.as_tensor(values.reshape(shape), dtype=self.dtype, device=self.device)

        return tensor(signals), tensor(errors)

    def at_pixels(
        self, height: np.ndarray, relative_yield: np.ndarray, pixels: Pixels | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Signals and standard errors, shape (K, n), of chosen pixels in their true surroundings (numpy)."""
        count = height.size if pixels is None else pixels[0].size
        signals = np.empty((len(self.segments), count))
        errors = np.empty_like(signals)
        for block in self.blocks(height, relative_yield, pixels):
            signals[:, block.part], errors[:, block.part] = block.signals, block.errors
            if self.progress is not None:
                self.progress(block.share)
        return signals, errors

    def blocks(
        self,
        height: np.ndarray,
        relative_yield: np.ndarray,
        pixels: Pixels | None = None,
        checkpoint: Path | None = None,
    ) -> Iterator[Block]:
        """Simulate part after part; the memory does not grow with the number of pixels.

        Parameters
        ----------
        height, relative_yield : ndarray, shape (Y, X)
            nm; dimensionless.
        pixels : (rows, columns), optional
            Integer arrays of one shape (n,); all pixels in row order by default.
        checkpoint : Path, optional
            Folder to keep finished parts in; a run with the same inputs goes on from there.

        Raises
        ------
        Cancelled
            If ``cancel`` was set.
        InputError
            If heights are not finite.
        StoreError
            If the checkpoint belongs to another run or cannot be read.
        """
        beam = self.setup.instrument.beam
        specimen = Specimen.around(
            height, self.setup.pixel_nm, self.setup.material, self._energy_kev, surroundings=self.surroundings
        )
        rows, columns = pixels if pixels is not None else np.indices(height.shape).reshape(2, -1)
        factor = np.asarray(relative_yield, np.float64)[rows, columns]
        step = self._block_pixels(rows.size)
        for number, start in enumerate(range(0, rows.size, step)):
            part = slice(start, min(start + step, rows.size))
            counts = simulate(
                specimen,
                self._energy_kev,
                self.electrons,
                seed=self.seed,
                binning=self.binning,
                pixels=(rows[part], columns[part]),
                probe_nm=beam.probe_nm or 0.0,
                threads=self.threads,
                cancel=self.cancel,
                checkpoint=None if checkpoint is None else checkpoint / f"part-{number:04d}.npz",
            )
            response, error = counts.signals(self._weights)
            yield Block(
                part,
                self._gain * response * factor[part] + self._offset,
                self._gain * error * factor[part],
                part.stop / rows.size,
            )

    def _block_pixels(self, pixels: int) -> int:
        wanted = max(_BLOCK_ELECTRONS // self.electrons, -(-pixels // _MOST_BLOCKS), 1)
        return max(1, min(wanted, _BLOCK_BYTES // (4 * self.binning.size)))


def binning_for(segments: Sequence[Segment]) -> Binning:
    """Choose bins whose edges lie on the segments' edges as nearly as can be.

    A bin that an edge cuts counts by its part, as if emission were even within it: an error of second order in
    the bin's width: 0.04 % of the flat signal for the shipped detectors, 0.2 % for a segment of 4 by 31 degrees
    at odd angles (planes of up to 60 degrees).

    Parameters
    ----------
    segments : sequence of Segment
        With azimuths in the image's frame.
    """
    polar = np.array([np.sin(np.radians(edge)) ** 2 for s in segments for edge in s.polar_deg])
    turns = np.array([edge / 360.0 for s in segments if s.azimuth_width_deg < 360.0 for edge in s.azimuth_deg])
    return Binning(_fitting(polar, *_POLAR_BINS), _fitting(turns, *_AZIMUTH_BINS), _ENERGY_BINS)


def _fitting(edges: np.ndarray, fewest: int, most: int) -> int:
    """The least number of equal bins of (0, 1) that has all edges on its own, or else cuts them least."""
    if not edges.size:
        return fewest

    def width_cut(bins: int) -> float:
        """Widest bin part that is cut away, in units of the whole range."""
        away = np.abs(edges * bins - np.round(edges * bins))
        return float(np.max(np.where(away < _EDGE_SHARE, 0.0, away)) / bins)

    # min takes the first, and so the least, of equally good numbers.
    return min(range(fewest, most + 1), key=width_cut)
