"""The real API server passes the checks that the fake store passes: what the sweep runs on is no invention."""

import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from e2e.plane import Plane
from tests.fakes.store_conformance import CHECKS, Check

pytestmark = pytest.mark.plane


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_real_api_server(plane: Plane, namespace: str, check: Check) -> None:
    async with Client(ClientConfiguration.load(plane.kubeconfig)) as client:
        await check(client, namespace)
