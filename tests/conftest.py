"""What all tests share: the local control plane with our CRDs."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest_plugins = ["tests.fixtures_plane"]

CRDS = Path(__file__).parent.parent / "charts" / "aim-gpu-sharing" / "files" / "crds"


def pytest_configure() -> None:
    """Leave no event loop behind: looptime's hook would make one for synchronous tests, which nobody closes."""
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def plane_manifests() -> Sequence[Path]:
    """Our CRDs, there before the garbage collector starts."""
    return sorted(CRDS.glob("*.yaml"))
