"""Series, instrument, detector presets, vendor readers and the noise estimate."""
