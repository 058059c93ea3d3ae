"""Measurements on height maps: levelling, filters, roughness, profiles, steps, spectra."""
