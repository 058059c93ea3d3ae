"""Make the shipped tables of planar Monte Carlo: one npz file per material under physics/tables.

    python tools/make_planar_tables.py [MATERIAL ...] [--electrons 80000] [--threads 2]

Some minutes for all materials; the seed is fixed, so that the files can be made again bit by bit.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from napari_sem4d.physics import planar_table
from napari_sem4d.physics.materials import material

MATERIALS = ("Cu", "Si", "Au", "Fe", "Cu2O", "SiO2", "CuO", "Ni", "Al", "W", "Ag", "C", "Pt")
ENERGIES_KEV = (1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0)
FOLDER = Path(planar_table.__file__).resolve().parent / planar_table.SHIPPED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("materials", nargs="*", default=MATERIALS)
    parser.add_argument("--electrons", type=int, default=80_000, help="primaries per tilt")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    for name in options.materials:
        start = time.monotonic()
        m = material(name)
        tables = {}
        for energy in ENERGIES_KEV:
            table = planar_table.make_table(m, energy, options.electrons, threads=options.threads)
            tables[planar_table.table_key(m, energy)] = (table, m.density_g_cm3)
        path = FOLDER / f"{planar_table.table_key(m, 1.0).rsplit('_', 1)[0]}.npz"
        planar_table.write_tables(path, tables)
        print(
            f"{name}: {path.name}, {path.stat().st_size / 1024:.0f} kB, {time.monotonic() - start:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
