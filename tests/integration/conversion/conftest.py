"""The operator's account and webhooks must be installed."""

import pytest

from e2e.plane import Plane


@pytest.fixture(autouse=True, scope="session")
def _installed(installed_plane: Plane) -> None:
    """See `installed_plane`."""
