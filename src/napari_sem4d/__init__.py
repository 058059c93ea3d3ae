"""Quantitative 3D and 4D nanometrology from multi-detector SEM images, in napari."""

__version__ = "0.1.0"
