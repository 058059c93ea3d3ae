"""The shared intermediate results of the figures of one surface or profile, each computed once when asked for."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from napari_sem4d.errors import DomainError
from napari_sem4d.metrology.areal_feature import SignificantPeaks, significant_peaks
from napari_sem4d.metrology.areal_height import HeightParameters, height_parameters
from napari_sem4d.metrology.areal_hybrid import sdq, sdr, squared_gradient
from napari_sem4d.metrology.areal_spatial import CentralLobe, autocorrelation, central_lobe, texture_direction
from napari_sem4d.metrology.material_ratio import MaterialRatioCurve
from napari_sem4d.metrology.profile_roughness import ProfileParameters, profile_parameters


class ArealAnalysis:
    """Intermediates of a treated map: ``height`` (Y, X) in nm, pixel size (y, x) in nm."""

    def __init__(self, height: np.ndarray, pixel_nm: tuple[float, float]) -> None:
        self.height = height
        self.pixel_nm = pixel_nm

    @cached_property
    def heights(self) -> HeightParameters:
        """Moments and extremes."""
        return height_parameters(self.height)

    @cached_property
    def gradient(self) -> tuple[float, float]:
        """Sdq (dimensionless) and Sdr (percent), seven-point formula."""
        squared = squared_gradient(self.height, self.pixel_nm)
        return sdq(squared), sdr(squared)

    @cached_property
    def curve(self) -> MaterialRatioCurve:
        """Material ratio curve."""
        return MaterialRatioCurve(self.height)

    @cached_property
    def lobe(self) -> CentralLobe:
        """Central lobe of the autocorrelation."""
        return central_lobe(autocorrelation(self.height, self.pixel_nm))

    @cached_property
    def direction(self) -> float:
        """Texture direction, degrees."""
        return texture_direction(self.height, self.pixel_nm)

    @cached_property
    def hills(self) -> SignificantPeaks:
        """Significant peaks."""
        return significant_peaks(self.height, self.pixel_nm)

    @cached_property
    def dales(self) -> SignificantPeaks:
        """Significant pits, as peaks of the surface upside down."""
        return significant_peaks(-self.height, self.pixel_nm)

    @property
    def aspect(self) -> float:
        """Str.

        Raises
        ------
        DomainError
            If the texture is longer than half the map.
        """
        if self.lobe.farthest_nm is None:
            raise DomainError(
                "The texture is longer than half the map in one direction, so Str is unknown: use a larger map "
                "or an L filter."
            )
        return self.lobe.nearest_nm / self.lobe.farthest_nm


class ProfileAnalysis:
    """Intermediates of a treated profile: ``height`` (N,) in nm, spacing and section length in nm."""

    def __init__(self, height: np.ndarray, spacing_nm: float, section_nm: float | None = None) -> None:
        self.height = height
        self.spacing_nm = spacing_nm
        self.section_nm = section_nm

    @cached_property
    def figures(self) -> ProfileParameters:
        """All parameters of ISO 21920-2."""
        return profile_parameters(self.height, self.spacing_nm, self.section_nm)
