"""Surfaces with known truth: 10 nm pixels, heights in nm."""

import numpy as np

PIXEL = 10.0


def grid(n=1024, pixel=PIXEL):
    """x and y (rows downwards) of the pixel centres in nm."""
    return np.meshgrid(np.arange(n) * pixel, np.arange(n) * pixel)


def correlated(length_x, length_y, sigma, seed, n=1024, pixel=PIXEL):
    """Gaussian heights with the autocorrelation exp(-(x/length_x)^2 - (y/length_y)^2), Sq exactly sigma."""
    noise = np.random.default_rng(seed).normal(size=(n, n))
    k = 2 * np.pi * np.fft.fftfreq(n, pixel)
    gain = np.exp(-((k * length_x) ** 2)[None, :] / 8 - ((k * length_y) ** 2)[:, None] / 8)
    surface = np.fft.ifft2(np.fft.fft2(noise) * gain).real
    surface -= surface.mean()
    return surface * (sigma / surface.std())
