"""What every test may use."""

import os
from pathlib import Path

# Small problems are solved fastest on one thread; commands that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

REPO = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of third-party images, which is not part of the package: the test skips where it is absent."""
    folder = Path(os.environ.get("SEM4D_SHARED_DATA", REPO.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the third-party images are not here (set SEM4D_SHARED_DATA)")
    return folder
