"""Reference data: medians and ranges of Joy's database of backscatter coefficients, normal incidence.

D. C. Joy, "A database on electron-solid interactions", Scanning 17, 270 (1995), later revisions; medians and
ranges over the authors listed for each element.
"""

JOY = {
    # material: {kV: (median, lowest, highest)}
    "C": {
        1: (0.076, 0.071, 0.133), 2: (0.074, 0.066, 0.107), 5: (0.082, 0.058, 0.086),
        10: (0.070, 0.066, 0.074), 15: (0.063, 0.057, 0.068), 20: (0.061, 0.049, 0.064),
    },
    "Si": {
        1: (0.228, 0.210, 0.235), 2: (0.210, 0.204, 0.210), 5: (0.197, 0.184, 0.206),
        10: (0.185, 0.174, 0.200), 15: (0.178, 0.163, 0.197), 20: (0.167, 0.159, 0.194),
    },
    "Cu": {
        1: (0.345, 0.265, 0.440), 2: (0.350, 0.280, 0.420), 5: (0.324, 0.300, 0.400),
        10: (0.317, 0.290, 0.360), 15: (0.311, 0.310, 0.335), 20: (0.310, 0.290, 0.340),
    },
    "Au": {
        1: (0.395, 0.290, 0.420), 2: (0.428, 0.370, 0.450), 5: (0.454, 0.430, 0.490),
        10: (0.477, 0.470, 0.500), 15: (0.484, 0.480, 0.510), 20: (0.485, 0.480, 0.520),
    },
}  # fmt: skip

MEAN_ENERGY = {"C": 0.60, "Si": 0.66, "Cu": 0.72, "Au": 0.79}
"""Mean energy of backscattered electrons over the primary energy, an earlier Monte Carlo of the same laws."""

TILT_CU_20 = {0: 0.313, 15: 0.323, 30: 0.352, 45: 0.411, 60: 0.504, 70: 0.582, 80: 0.691}
"""Coefficient of copper at 20 kV by tilt in degrees, an earlier Monte Carlo of the same laws."""
