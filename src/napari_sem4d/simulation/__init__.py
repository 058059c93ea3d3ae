"""Images of a known surface: a series that opens like a microscope's, with its truth beside it."""

from napari_sem4d.simulation.steps import simulate_steps

__all__ = ["simulate_steps"]
