"""Stories and pages need the operator's manifests."""

import pytest

from e2e.plane import Plane


@pytest.fixture(scope="session", autouse=True)
def _installed(installed_plane: Plane) -> None:
    """See `installed_plane`."""
