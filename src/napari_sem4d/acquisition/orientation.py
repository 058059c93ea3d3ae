"""Scan rotation: the one place where segments of the column become segments of the image."""

from __future__ import annotations

from napari_sem4d.acquisition.instrument import Instrument, Segment


def segments_in_image(instrument: Instrument) -> tuple[Segment, ...]:
    """Segments with azimuths as the image shows them.

    With scan rotation r the image content is turned counter-clockwise on the screen by r against the column;
    the detector, which is fixed to the column, is seen turned by the same angle: a segment at azimuth a in the
    column stands at a + r in the image. With r = 90 degrees what lies to the right in the column is at the top::

            column, r = 0       image, r = 90

                                    A
                o---A               |
                                    o

    Parameters
    ----------
    instrument : Instrument
        Azimuths of its segments are those of the column (without scan rotation).

    Returns
    -------
    tuple of Segment
        The same segments, azimuths in degrees counter-clockwise from the image's +x.
    """
    turn = instrument.beam.scan_rotation_deg
    return tuple(
        segment.model_copy(update={"azimuth_deg": (segment.azimuth_deg[0] + turn, segment.azimuth_deg[1] + turn)})
        for segment in instrument.detector.segments
    )
