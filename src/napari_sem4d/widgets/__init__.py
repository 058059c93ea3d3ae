"""Dock widgets and napari contributions: the only place that knows Qt and napari."""
