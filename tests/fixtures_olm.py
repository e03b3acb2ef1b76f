"""pytest plugin: what judges our bundle and catalogue. Built after collection where a selected test asks for it."""

import pytest

from e2e.olm import BundleChecks, Crdify, Opm
from e2e.plane import ensure_binaries
from e2e.plane.build import Binaries
from e2e.plane.programs import OLM
from tests.built_programs import build_for


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build outside of any test's time limit."""
    build_for(session, "bundle_checks", BundleChecks.built)
    build_for(session, "opm", Opm.built)
    build_for(session, "crdify", Crdify.built)
    build_for(session, "olm_controllers", lambda: (Opm.built(), _controllers()))


@pytest.fixture(scope="session")
def bundle_checks() -> BundleChecks:
    """operator-framework's checks of the version that is locked."""
    return BundleChecks.built()


@pytest.fixture(scope="session")
def opm() -> Opm:
    """opm of the version that is locked."""
    return Opm.built()


@pytest.fixture(scope="session")
def crdify() -> Crdify:
    """The judge of CRDs that OLM v1 asks, of the version that is locked."""
    return Crdify.built()


@pytest.fixture(scope="session")
def olm_controllers() -> Binaries:
    """OLM's own two controllers, and the definitions of their kinds."""
    return _controllers()


def _controllers() -> Binaries:
    return ensure_binaries(families=(OLM,))
