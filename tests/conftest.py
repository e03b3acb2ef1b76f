"""What all tests share: the local control plane with our CRDs."""

import asyncio
import gc
import signal
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

# Examples have no deadline of their own: on a busy machine the first of them may take a second. Each test has its limit.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")

pytest_plugins = [
    "tests.failures_so_far",
    "tests.shared_out",
    "tests.fixtures_node",
    "tests.fixtures_plane",
    "tests.fixtures_image",
    "tests.fixtures_prometheus",
    "tests.fixtures_chart",
    "tests.fixtures_olm",
    "tests.fixtures_browser",
]

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


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, and keep it from what was collected.

    All of it stays until the end: looking at it again and again is two fifths of the time that collecting takes.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that a test runs sets up the logs of the process: later ones would be written where pytest reads no more."""
    before, configured = structlog.get_config(), structlog.is_configured()
    yield
    if configured:
        structlog.configure(**before)
    else:
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def plane_manifests() -> Sequence[Path]:
    """Our CRDs, there before the garbage collector starts."""
    return sorted(CRDS.glob("*.yaml"))
