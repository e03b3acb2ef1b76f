"""An API server with ResourceClaims, a folder for sockets whose paths are short, and quick looks at both."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.client.core import RESOURCE_CLAIMS
from tests.fakes.api_server import FakeApiServer


@pytest.fixture
async def api() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as server:
        server.serve(RESOURCE_CLAIMS)
        yield server


@pytest.fixture
async def client(api: FakeApiServer) -> AsyncIterator[Client]:
    async with Client(ClientConfiguration(server=api.url)) as opened:
        yield opened


@pytest.fixture
def root() -> Iterator[Path]:
    """The kubelet's folder: a socket's path may have 107 characters only."""
    with tempfile.TemporaryDirectory(prefix="kubelet-") as folder:
        yield Path(folder)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins look every few milliseconds; what they wait for stays as it is."""
    monkeypatch.setattr("controller.agent.kubelet_plugins.dra_plugin.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("controller.agent.kubelet_plugins.device_plugin.LOOK_SECONDS", 0.01)
