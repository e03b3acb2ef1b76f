"""The operator's manifests on the run's plane, installed once."""

import pytest

from e2e.plane import Plane
from e2e.run.install import install


@pytest.fixture(scope="session", autouse=True)
def _installed(plane: Plane) -> None:
    install(plane)
