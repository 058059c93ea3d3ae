"""Materials: composition, density, mean ionisation energies, ranges and backscatter coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from napari_sem4d.errors import SettingsError

# Mean ionisation energies in eV: ICRU Report 37 (1984), after Berger & Seltzer (O, N as gas).
_MEAN_IONISATION_EV = {
    "H": 19.2, "Li": 40.0, "Be": 63.7, "B": 76.0, "C": 78.0, "N": 82.0, "O": 95.0, "F": 115.0, "Na": 149.0,
    "Mg": 156.0, "Al": 166.0, "Si": 173.0, "P": 173.0, "S": 180.0, "Cl": 174.0, "K": 190.0, "Ca": 191.0,
    "Ti": 233.0, "V": 245.0, "Cr": 257.0, "Mn": 272.0, "Fe": 286.0, "Co": 297.0, "Ni": 311.0, "Cu": 322.0,
    "Zn": 330.0, "Ga": 334.0, "Ge": 350.0, "As": 347.0, "Se": 348.0, "Zr": 393.0, "Nb": 417.0, "Mo": 424.0,
    "Ru": 441.0, "Rh": 449.0, "Pd": 470.0, "Ag": 470.0, "Cd": 469.0, "In": 488.0, "Sn": 488.0, "Sb": 487.0,
    "Te": 485.0, "Hf": 705.0, "Ta": 718.0, "W": 727.0, "Re": 736.0, "Ir": 757.0, "Pt": 790.0, "Au": 790.0,
    "Pb": 823.0, "Bi": 823.0, "U": 890.0,
}  # fmt: skip

# name: (formula, density in g/cm3; CRC Handbook of Chemistry and Physics)
_CATALOGUE = {
    "C": ("C", 2.26),
    "Si": ("Si", 2.33),
    "SiO2": ("SiO2", 2.20),
    "Al": ("Al", 2.70),
    "Fe": ("Fe", 7.87),
    "Ni": ("Ni", 8.91),
    "Cu": ("Cu", 8.96),
    "Cu2O": ("Cu2O", 6.00),
    "CuO": ("CuO", 6.31),
    "Ag": ("Ag", 10.49),
    "W": ("W", 19.25),
    "Pt": ("Pt", 21.45),
    "Au": ("Au", 19.30),
}

# Our Monte Carlo of flat surfaces (PHYSICS.md, sections 1 and 4): linear in ln Z within 1 %, C to Au.
_MEAN_ENERGY_LN_Z = (0.468, 0.0737)
_RHO50_OVER_RANGE = ((6, 0.227), (14, 0.19), (26, 0.16), (29, 0.15), (79, 0.12))


@dataclass(frozen=True)
class Element:
    """One element of a material."""

    symbol: str
    z: int
    a_g_mol: float
    mass_fraction: float
    j_kev: float


@dataclass(frozen=True)
class Material:
    """A homogeneous, amorphous material.

    Attributes
    ----------
    name : str
        As the user gave it.
    elements : tuple of Element
        With mass fractions that add up to 1.
    density_g_cm3 : float
        Mass density.
    """

    name: str
    elements: tuple[Element, ...]
    density_g_cm3: float

    @property
    def z(self) -> float:
        """Mass-weighted mean atomic number."""
        return sum(e.mass_fraction * e.z for e in self.elements)

    @property
    def a_g_mol(self) -> float:
        """Atomic mass that keeps the number of atoms per mass, g/mol."""
        return 1.0 / sum(e.mass_fraction / e.a_g_mol for e in self.elements)

    @property
    def j_kev(self) -> float:
        """Mean ionisation energy by Bragg's rule (weights Z/A), keV."""
        weights = [e.mass_fraction * e.z / e.a_g_mol for e in self.elements]
        logs = sum(w * math.log(e.j_kev) for w, e in zip(weights, self.elements, strict=True))
        return math.exp(logs / sum(weights))

    def range_nm(self, energy_kev: float) -> float:
        """Range of Kanaya & Okayama (J. Phys. D 5, 43, 1972), nm; compounds by mass fraction of 1/range."""
        inverse = sum(e.mass_fraction * e.z**0.889 / (27.6 * e.a_g_mol * energy_kev**1.67) for e in self.elements)
        return 1.0 / (inverse * self.density_g_cm3)

    def rho50_nm(self, energy_kev: float) -> float:
        """Median exit radius of backscattered electrons on a flat, nm, as a tabulated share of the range."""
        return _interpolate_ln_z(self.z, _RHO50_OVER_RANGE) * self.range_nm(energy_kev)

    def backscatter_coefficient(self, energy_kev: float) -> float:
        """Backscatter coefficient at normal incidence.

        Hunger & Kuechler, phys. stat. sol. (a) 56, K45 (1979): ``eta = E^m(Z) C(Z)``, within a few per cent of
        measurements from 4 to 40 keV; below 4 keV it is an extrapolation. Compounds by mass fraction
        (Castaing's rule).
        """
        return sum(e.mass_fraction * _hunger_kuechler(e.z, energy_kev) for e in self.elements)

    def mean_energy_fraction(self) -> float:
        """Mean energy of backscattered electrons over the primary energy, at normal incidence."""
        base, slope = _MEAN_ENERGY_LN_Z
        return base + slope * math.log(self.z)


def _hunger_kuechler(z: float, energy_kev: float) -> float:
    ln_z = math.log(z)
    m = 0.1382 - 0.9211 / math.sqrt(z)
    c = 0.1904 - 0.2235 * ln_z + 0.1292 * ln_z**2 - 0.01491 * ln_z**3
    return c * energy_kev**m


def _interpolate_ln_z(z: float, table: tuple[tuple[int, float], ...]) -> float:
    x = math.log(min(max(z, table[0][0]), table[-1][0]))
    for (z0, v0), (z1, v1) in pairwise(table):
        if x <= math.log(z1):
            share = (x - math.log(z0)) / (math.log(z1) - math.log(z0))
            return v0 + share * (v1 - v0)
    return table[-1][1]


def mean_ionisation_ev(symbol: str, z: int) -> float:
    """Mean ionisation energy of an element in eV.

    ICRU 37 where tabulated here; else the fit of Berger & Seltzer (1964): ``9.76 Z + 58.5 Z^-0.19`` from
    Z = 13 on, ``11.5 Z`` below.
    """
    if symbol in _MEAN_IONISATION_EV:
        return _MEAN_IONISATION_EV[symbol]
    return 9.76 * z + 58.5 * z**-0.19 if z >= 13 else 11.5 * z


def material_names() -> tuple[str, ...]:
    """Names of the materials with a built-in density."""
    return tuple(_CATALOGUE)


@lru_cache(maxsize=64)
def material(name: str, density_g_cm3: float | None = None) -> Material:
    """Look a material up by name, or make one from a formula.

    Parameters
    ----------
    name : str
        One of :func:`material_names`, or a chemical formula such as ``"TiO2"``, optionally with its density in
        g/cm3 after an at sign: ``"TiO2@4.23"``. A bare element takes its tabulated density.
    density_g_cm3 : float, optional
        Overrides the density of the catalogue or of the formula.

    Raises
    ------
    SettingsError
        If the formula cannot be read, or the density of a compound is not known.
    """
    text = name.strip()
    formula, _, suffix = text.partition("@")
    formula = formula.strip()
    if suffix and density_g_cm3 is None:
        try:
            density_g_cm3 = float(suffix)
        except ValueError:
            raise SettingsError(
                f"material '{name}': the density after '@' is not a number; write for example TiO2@4.23 (g/cm3)"
            ) from None
    if formula in _CATALOGUE:
        formula, catalogue_density = _CATALOGUE[formula]
        density_g_cm3 = density_g_cm3 or catalogue_density
    elements, natural_density = _parse(formula, name)
    density = density_g_cm3 or natural_density
    if not density or not 0.01 < density < 30:
        raise SettingsError(
            f"material '{name}': its density is {'not known' if not density else f'{density:g} g/cm3'}; "
            f"write the formula with a density between 0.01 and 30 g/cm3, for example {formula}@5.2"
        )
    return Material(text, elements, float(density))


def _parse(formula: str, name: str) -> tuple[tuple[Element, ...], float | None]:
    import periodictable
    from pyparsing import ParseException

    try:
        parsed = periodictable.formula(formula)
    except (ParseException, ValueError, KeyError, TypeError):
        parsed = None
    if parsed is None or not parsed.atoms:
        raise SettingsError(
            f"material '{name}' is neither one of {', '.join(_CATALOGUE)} nor a chemical formula; "
            "write for example Cu, TiO2@4.23 or Fe70Cr18Ni12@7.9 (atomic proportions, g/cm3)"
        )
    total = parsed.mass
    elements = tuple(
        Element(a.symbol, a.number, a.mass, n * a.mass / total, mean_ionisation_ev(a.symbol, a.number) * 1e-3)
        for a, n in sorted(parsed.atoms.items(), key=lambda item: item[0].number)
    )
    density = parsed.density if len(elements) == 1 else None
    return elements, density
