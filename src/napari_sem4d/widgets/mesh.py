"""A height map as a triangle mesh for the 3D view: coarse mesh, full-resolution texture (no Qt)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PINNED = 2
"""Vertices at the end of the list that no face uses: they hold the z range still while heights move."""


@dataclass(frozen=True)
class GridMesh:
    """The part of the mesh that does not move: which pixels are vertices, faces, texture coordinates.

    Attributes
    ----------
    rows, cols : ndarray of int
        Rows and columns of the height map that become vertices (always with the first and the last).
    faces : ndarray of int, shape (F, 3)
        Triangles over all vertices, counter-clockwise seen from above (+z).
    texcoords : ndarray, shape (N + 2, 2)
        (u, v) of every vertex at the centre of its texel; v is flipped, for textures start at the bottom.
    """

    rows: np.ndarray
    cols: np.ndarray
    faces: np.ndarray
    texcoords: np.ndarray

    def vertices(
        self, height: np.ndarray, z_range: tuple[float, float], flat: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vertices, faces and vertex values of one frame.

        Parameters
        ----------
        height : ndarray, shape (Y, X)
            Height, nm. NaN leaves a hole.
        z_range : tuple of float
            Lowest and highest z over all frames, nm: where the two pinned vertices stand.
        flat : bool
            True puts every vertex at z = 0 (2D view: otherwise a slider for z appears).

        Returns
        -------
        vertices : ndarray, shape (N + 2, 3)
            (z in nm, row, column).
        faces : ndarray, shape (F, 3)
            Without the faces that touch a NaN; one degenerate face where nothing is left.
        values : ndarray, shape (N + 2,)
            Height of every vertex in nm, for the colour.
        """
        z = np.asarray(height, dtype=np.float32)[np.ix_(self.rows, self.cols)].ravel()
        finite = np.isfinite(z)
        n = z.size
        faces = self.faces
        if not finite.all():
            faces = faces[finite[faces].all(axis=1)]
            z = np.where(finite, z, np.float32(z_range[0]))
            if not len(faces):  # a surface layer must not be without faces
                faces = np.zeros((1, 3), dtype=np.int32)
        vertices = np.empty((n + PINNED, 3), dtype=np.float32)
        vertices[:n, 0] = 0.0 if flat else z
        vertices[:n, 1] = np.repeat(self.rows, len(self.cols))
        vertices[:n, 2] = np.tile(self.cols, len(self.rows))
        vertices[n:, 0] = (0.0, 0.0) if flat else z_range
        vertices[n:, 1:] = vertices[0, 1:]
        values = np.concatenate([z, np.asarray(z_range, dtype=np.float32)])
        return vertices, faces, values

    def values(self, image: np.ndarray) -> np.ndarray:
        """Vertex values of another map of shape (Y, X), for the colour; 0 where it is NaN."""
        found = np.nan_to_num(np.asarray(image, dtype=np.float32)[np.ix_(self.rows, self.cols)].ravel())
        return np.concatenate([found, np.repeat(found[:1], PINNED)])


def grid_mesh(shape: tuple[int, int], max_side: int = 256) -> GridMesh:
    """Lay a mesh of at most ``max_side`` x ``max_side`` vertices over a height map.

    Parameters
    ----------
    shape : tuple of int
        (Y, X) of the height map.
    max_side : int
        Most vertices along a side; the vertices stand on true pixels.
    """
    rows, cols = (np.linspace(0, n - 1, min(n, max_side)).round().astype(np.int64) for n in shape)
    index = np.arange(len(rows) * len(cols), dtype=np.int32).reshape(len(rows), len(cols))
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    # y grows downwards in the array, so a, c, b is counter-clockwise for an eye above the surface
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    u = (np.tile(cols, len(rows)) + 0.5) / shape[1]
    v = 1.0 - (np.repeat(rows, len(cols)) + 0.5) / shape[0]
    texcoords = np.stack([u, v], axis=1).astype(np.float32)
    texcoords = np.concatenate([texcoords, np.repeat(texcoords[:1], PINNED, axis=0)])
    return GridMesh(rows, cols, faces, texcoords)
