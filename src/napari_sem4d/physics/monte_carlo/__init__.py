"""Monte Carlo of electron trajectories: single scattering, continuous slowing down, over a height map.

Absent: secondary electrons, tabulated Mott cross-sections, energy straggling, crystal channelling,
charging, detector fields. There is no CUDA kernel: none could be tested where this was written.
"""

from napari_sem4d.physics.monte_carlo.planes import PlaneResult, simulate_plane
from napari_sem4d.physics.monte_carlo.scoring import Binning, EmissionCounts, detector_weights
from napari_sem4d.physics.monte_carlo.simulation import estimate_memory, simulate
from napari_sem4d.physics.monte_carlo.specimen import Specimen
from napari_sem4d.physics.monte_carlo.tables import TransportTable, transport_table

__all__ = [
    "Binning",
    "EmissionCounts",
    "PlaneResult",
    "Specimen",
    "TransportTable",
    "detector_weights",
    "estimate_memory",
    "simulate",
    "simulate_plane",
    "transport_table",
]
