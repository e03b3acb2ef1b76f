"""pytest plugin: Helm, for tests that render our chart. Built after collection where a selected test asks for it."""

import pytest

from e2e.chart import Helm
from tests.built_programs import build_for


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build Helm outside of any test's time limit."""
    build_for(session, "helm", Helm.built)


@pytest.fixture(scope="session")
def helm() -> Helm:
    """Helm of the version that is locked, and our chart."""
    return Helm.built()
