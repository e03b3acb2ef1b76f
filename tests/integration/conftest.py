"""Our manifests on the run's plane, installed once: a running operator then owns the webhook's address."""

import pytest

from e2e.plane import Plane
from e2e.run.install import install


@pytest.fixture(scope="session")
def installed_plane(plane: Plane) -> Plane:
    """The plane of the run with CRDs, RBAC, policies, device class and webhook."""
    install(plane)
    return plane
