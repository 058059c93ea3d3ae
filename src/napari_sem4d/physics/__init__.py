"""Electron physics: materials, ranges, emission laws, acceptance, Monte Carlo."""
