import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.state.kinds import KSERVE_SERVICES
from controller.state.kserve import LOOK_SECONDS, KServe, _kept, kserve_index
from tests.builders.kserve_service import kserve_service
from tests.builders.pod import typed_pod
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import LoopClock

RECORDED = Path(__file__).parents[2] / "data" / "kserve" / "inferenceservice-ready.yaml"
SOON = 1.0


@asynccontextmanager
async def looking(api: FakeApiServer) -> AsyncIterator[KServe]:
    """A look-out that runs in virtual time."""
    async with Client(ClientConfiguration(server=api.url), clock=LoopClock()) as client:
        kserve = KServe(client, LoopClock())
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(kserve.run())
            yield kserve
            running.cancel()


@pytest.mark.looptime
async def test_where_kserve_is_its_services_are_watched() -> None:
    async with FakeApiServer() as api:
        api.put(KSERVE_SERVICES, kserve_service())
        async with looking(api) as kserve:
            await kserve.wait_synced(60.0)
            assert kserve.served is True
            assert list(kserve.services.store.keys()) == ["team-a/chat"]


@pytest.mark.looptime
async def test_where_it_is_not_nobody_waits_or_watches_until_it_comes() -> None:
    async with FakeApiServer() as api, looking(api) as kserve:
        changes: list[bool | None] = []
        kserve.on_change(lambda: changes.append(kserve.served))
        await kserve.wait_synced(60.0)
        assert (kserve.served, api.count("watch")) == (False, 0)
        api.put(KSERVE_SERVICES, kserve_service())
        await asyncio.sleep(LOOK_SECONDS + SOON)
        assert kserve.services.synced
        assert changes == [False, True]


@pytest.mark.looptime
async def test_when_it_goes_that_is_noticed() -> None:
    async with FakeApiServer() as api:
        api.serve(KSERVE_SERVICES)
        async with looking(api) as kserve:
            await kserve.wait_synced(60.0)
            api.play(faults.refusal(404, "NotFound"), on="list")
            await asyncio.sleep(LOOK_SECONDS + SOON)
            assert kserve.served is False


@pytest.mark.looptime
async def test_one_that_we_may_not_read_is_none() -> None:
    async with FakeApiServer() as api:
        api.serve(KSERVE_SERVICES)
        api.play(faults.refusal(403, "Forbidden"), on="list")
        async with looking(api) as kserve:
            await kserve.wait_synced(60.0)
            assert (kserve.served, api.count("watch")) == (False, 0)


@pytest.mark.looptime
async def test_while_nobody_answers_nothing_is_known_and_waiting_has_a_limit() -> None:
    async with FakeApiServer() as api:
        api.serve(KSERVE_SERVICES)
        api.play(*[faults.refusal(500, "InternalError")] * 10, on="list")
        async with looking(api) as kserve:
            await kserve.wait_synced(60.0)
            assert kserve.served is None
            await asyncio.sleep(LOOK_SECONDS)
            assert kserve.served is True


@pytest.mark.looptime
async def test_an_answer_that_fails_to_come_changes_nothing() -> None:
    async with FakeApiServer() as api:
        api.serve(KSERVE_SERVICES)
        async with looking(api) as kserve:
            await kserve.wait_synced(60.0)
            api.play(faults.refusal(500, "InternalError"), on="list")
            await asyncio.sleep(LOOK_SECONDS + SOON)
            assert kserve.served is True


def test_pods_are_found_by_the_service_that_kserve_made_them_for() -> None:
    made = typed_pod(metadata={"labels": {"serving.kserve.io/inferenceservice": "chat"}})
    assert list(kserve_index(made)) == ["team-a/chat"]
    assert list(kserve_index(typed_pod())) == []


def test_of_a_recorded_service_what_reconciling_reads_is_kept_and_the_pods_template_is_not() -> None:
    recorded = yaml.safe_load(RECORDED.read_text(encoding="utf-8"))
    kept = _kept(yaml.safe_load(RECORDED.read_text(encoding="utf-8")))
    assert kept["metadata"] == recorded["metadata"]
    assert kept["spec"] == {"predictor": {}}
    assert kept["status"] == {key: recorded["status"][key] for key in ("address", "conditions")}
