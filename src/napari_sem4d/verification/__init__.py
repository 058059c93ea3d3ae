"""Judge a finished surface by Monte Carlo: does it show the images that it was made from?"""

from napari_sem4d.verification.report import Tolerances, Verification
from napari_sem4d.verification.steps import verify_steps

__all__ = ["Tolerances", "Verification", "verify_steps"]
