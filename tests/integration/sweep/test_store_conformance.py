"""The real API server passes the checks that the fake store passes: what the sweep runs on is no invention."""

from dataclasses import replace

import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration, Impersonation
from e2e.plane import Plane
from e2e.run.processes import OPERATOR
from tests.fakes.store_conformance import CHECKS, Check

pytestmark = pytest.mark.plane


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_real_api_server(plane: Plane, namespace: str, check: Check) -> None:
    # Our guards let nobody but the operator make claims, where they are installed.
    operator = Impersonation(OPERATOR, ("system:masters",))
    configuration = replace(ClientConfiguration.load(plane.kubeconfig), impersonate=operator)
    async with Client(configuration) as client:
        await check(client, namespace)
