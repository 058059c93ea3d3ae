"""From signals to height: objective, solver, calibration and uncertainty."""
