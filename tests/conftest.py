"""What all tests share: the local control plane with our CRDs."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import settings

# Examples have no deadline of their own: on a busy machine the first of them may take a second. Each test has its limit.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")

pytest_plugins = ["tests.fixtures_node", "tests.fixtures_plane", "tests.fixtures_image"]

CRDS = Path(__file__).parent.parent / "charts" / "aim-gpu-sharing" / "files" / "crds"


def pytest_configure() -> None:
    """Make a run the same wherever it was started.

    No event loop is left behind: looptime's hook would make one for synchronous tests, which nobody closes. A shell
    that runs us in the background has SIGINT ignored, and all our children would inherit that: tests that press Ctrl-C
    need it back.
    """
    asyncio.set_event_loop(None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def plane_manifests() -> Sequence[Path]:
    """Our CRDs, there before the garbage collector starts."""
    return sorted(CRDS.glob("*.yaml"))
