"""Every test here needs our manifests, and engines that listen for pods which only seem to run."""

import pytest

from e2e.plane import Plane


@pytest.fixture(scope="session", autouse=True)
def _installed(installed_plane: Plane) -> None:
    """See `installed_plane`."""
