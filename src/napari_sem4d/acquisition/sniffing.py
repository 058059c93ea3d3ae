"""What a file holds, told from its first bytes and not from its name."""

from __future__ import annotations

from pathlib import Path

from napari_sem4d.errors import InputError

TIFF_SUFFIXES = (".tif", ".tiff")
OTHER_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".webp", ".jp2")

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x89HDF", "HDF5"),
    (b"%PDF", "PDF"),
)


def content_of(path: Path) -> str:
    """Name the kind of content: "TIFF", "JPEG", ..., "empty" or "unknown".

    Raises
    ------
    InputError
        If the file does not exist or cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except FileNotFoundError:
        raise InputError(f"The file {path} does not exist; check the path.") from None
    except OSError as error:
        raise InputError(f"The file {path} cannot be read ({error.strerror}); check its permissions.") from error
    if not start:
        return "empty"
    return next((kind for signature, kind in _SIGNATURES if start.startswith(signature)), "unknown")


def require_tiff(path: Path) -> None:
    """Refuse what is no TIFF, and say why and what to do.

    Raises
    ------
    InputError
        For an empty file, a JPEG or another image format, or bytes that are no image.
    """
    kind = content_of(path)
    if kind == "TIFF":
        return
    if kind == "empty":
        raise InputError(f"The file {path} is empty (0 bytes); copy it again from the microscope.")
    named_tiff = path.suffix.lower() in TIFF_SUFFIXES
    called = f"is called {path.suffix} but holds {kind} data" if named_tiff else f"is a {kind} file"
    if kind.startswith("JPEG"):
        raise InputError(
            f"{path} {called}. JPEG compression changes grey values block by block, so no height can be measured "
            "from it; export the segments as uncompressed TIFF on the microscope."
        )
    if kind == "unknown":
        called = (
            f"is called {path.suffix} but its first bytes are not those of a TIFF" if named_tiff else "is no TIFF"
        )
        raise InputError(f"{path} {called}; give the TIFF files as the microscope saved them, or copy it again.")
    raise InputError(f"{path} {called}, which is not read; export the segments as TIFF on the microscope.")
