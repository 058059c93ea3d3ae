"""`sem4d export`: heights as maps, meshes and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_sem4d.cli import heights as shared
from napari_sem4d.cli.console import Json, answer, told
from napari_sem4d.errors import SettingsError

# What write_surface knows; a test holds the two together, so that --help needs no numpy.
EXTENSIONS = ".tif .tiff .gwy .gsf .x3p .sur .xyz .txt .csv .stl .ply .glb .png .svg"


@told
def export(
    source: shared.Source,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help=f"File to write, its extension says the format ({EXTENSIONS}); several frames get their number "
            "before it. Nothing is overwritten.",
        ),
    ],
    pixel_nm: shared.PixelNm = None,
    unit: shared.Unit = None,
    channel: shared.Channel = None,
    frame: shared.Frames = None,
    levelling: shared.Levelling = "none",
    s_nm: shared.SNm = None,
    l_nm: shared.LNm = None,
    json: Json = False,
) -> None:
    """Write heights as a map (TIFF, Gwyddion, X3P, SUR, XYZ, CSV), a mesh (STL, PLY, GLB) or a picture."""
    from napari_sem4d.io.heights import levelled
    from napari_sem4d.io.surfaces import numbered, write_surface

    if out.suffix.lower() not in EXTENSIONS.split():
        raise SettingsError(f"--out {out}: its extension says the format, one of {EXTENSIONS}")
    how = shared.treatment(levelling, s_nm, l_nm)
    heights = shared.open_source(source, pixel_nm, unit, channel)
    frames = shared.chosen_frames(heights, frame)
    targets = [out] if len(frames) == 1 else [numbered(out, t, heights.frames) for t in frames]
    for target in targets:
        shared.free(target)
    for t, target in zip(frames, targets, strict=True):
        surface = heights.as_map(t)
        write_surface(target, levelled(surface, how.apply(surface.height, surface.pixel_nm)))
    written = [{"frame": t, "path": str(target)} for t, target in zip(frames, targets, strict=True)]
    answer(shared.described(heights) | {"written": written}, json, _text)


def _text(data: dict[str, Any]) -> str:
    return "\n".join([shared.source_text(data), *(f"written {one['path']}" for one in data["written"])])
