"""Result store, exporters and surface readers."""
