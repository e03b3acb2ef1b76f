"""The operator of the sweep needs its manifests; the store's conformance does not mind them."""

import pytest

from e2e.plane import Plane


@pytest.fixture(scope="session", autouse=True)
def _installed(installed_plane: Plane) -> None:
    """See `installed_plane`."""
