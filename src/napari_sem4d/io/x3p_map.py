"""Surface files of ISO 25178-72 (.x3p): a zip of main.xml and a binary matrix, lengths in metres, x fastest."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import numpy as np

from napari_sem4d.errors import InputError
from napari_sem4d.io.height_map import HeightMap, height_map

_NAMESPACE = "http://www.opengps.eu/2008/ISO5436_2"
_DATA, _MAIN, _SUMS = "bindata/data.bin", "main.xml", "md5checksum.hex"
_TYPES = {"I": "<i2", "L": "<i4", "F": "<f4", "D": "<f8"}


def write_x3p(path: Path, surface: HeightMap) -> None:
    """Write float64 heights in metres; NaN stays NaN."""
    rows, columns = surface.height.shape
    data = (surface.height * 1e-9).astype("<f8").tobytes()
    axes = "".join(
        f"<{name}><AxisType>I</AxisType><DataType>D</DataType><Increment>{step * 1e-9:.12e}</Increment>"
        f"<Offset>0</Offset></{name}>"
        for name, step in (("CX", surface.pixel_nm[1]), ("CY", surface.pixel_nm[0]))
    )
    comment = surface.title + (" (relative)" if surface.relative else "")
    main = (
        f'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<p:ISO5436_2 xmlns:p="{_NAMESPACE}">'
        "<Record1><Revision>ISO5436 - 2000</Revision><FeatureType>SUR</FeatureType>"
        f"<Axes>{axes}<CZ><AxisType>A</AxisType><DataType>D</DataType></CZ></Axes></Record1>"
        "<Record2><Date>1970-01-01T00:00:00Z</Date>"
        "<Instrument><Manufacturer>napari-sem4d</Manufacturer>"
        "<Model>napari-sem4d</Model><Serial>not available</Serial><Version>not available</Version></Instrument>"
        "<CalibrationDate>1970-01-01T00:00:00Z</CalibrationDate><ProbingSystem><Type>Software</Type>"
        f"<Identification>not available</Identification></ProbingSystem>"
        f"<Comment>{escape(comment)}</Comment></Record2>"
        f"<Record3><MatrixDimension><SizeX>{columns}</SizeX><SizeY>{rows}</SizeY><SizeZ>1</SizeZ>"
        f"</MatrixDimension><DataLink><PointDataLink>{_DATA}</PointDataLink>"
        f"<MD5ChecksumPointData>{_md5(data)}</MD5ChecksumPointData></DataLink></Record3><Record4><ChecksumFile>{_SUMS}</ChecksumFile></Record4></p:ISO5436_2>"
    ).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_MAIN, main)
        archive.writestr(_DATA, data)
        archive.writestr(_SUMS, f"{_md5(main).lower()} *{_MAIN}\n")


def read_x3p(path: Path) -> HeightMap:
    """Read an areal surface from an .x3p file.

    Raises
    ------
    InputError
        If the archive is damaged, its checksum is wrong, or it holds no areal matrix.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = ElementTree.fromstring(archive.read(_MAIN))
            values = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root.iter()}
            columns, rows = int(values["SizeX"]), int(values["SizeY"])
            link = values.get("PointDataLink") or _DATA
            kind = root.find(".//CZ/DataType")
            dtype = np.dtype(_TYPES[(kind.text or "D").strip() if kind is not None else "D"])
            # The size is asked before reading, so a zip bomb does not fill the memory.
            if archive.getinfo(link).file_size < rows * columns * dtype.itemsize:
                raise InputError(f"{path.name} holds fewer heights than it says: it is truncated, copy it again.")
            with archive.open(link) as stream:
                data = stream.read(rows * columns * dtype.itemsize)
            steps = [_number(root, f".//{axis}/Increment") for axis in ("CY", "CX")]
            scale = _number(root, ".//CZ/Increment") or 1.0
            offset = _number(root, ".//CZ/Offset") or 0.0
    except (zipfile.BadZipFile, ElementTree.ParseError, KeyError, ValueError, OSError, EOFError) as error:
        raise InputError(f"{path.name} is no readable .x3p surface ({error}): export it again.") from error
    expected = values.get("MD5ChecksumPointData", "")
    if expected and expected.upper() != _md5(data):
        raise InputError(
            f"The heights in {path.name} do not fit their checksum: the file is damaged, copy it again."
        )
    if values.get("FeatureType", "SUR") != "SUR" or steps[0] is None or steps[1] is None or min(rows, columns) < 2:
        raise InputError(
            f"{path.name} holds no areal surface (feature type {values.get('FeatureType')}): export one."
        )
    matrix = np.frombuffer(data, dtype=dtype).reshape(rows, columns).astype(np.float64)
    comment = values.get("Comment", "")
    return height_map(
        (matrix * scale + offset) * 1e9,
        (steps[0] * 1e9, steps[1] * 1e9),
        comment.removesuffix(" (relative)") or path.stem,
        relative=comment.endswith("(relative)"),
    )


def _number(root: ElementTree.Element, where: str) -> float | None:
    element = root.find(where)
    return None if element is None or not (element.text or "").strip() else float(element.text or "")


def _md5(data: bytes) -> str:
    # The format asks for MD5; it guards against damage, not against anyone.
    return hashlib.md5(data, usedforsecurity=False).hexdigest().upper()
