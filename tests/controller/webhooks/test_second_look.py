import asyncio
from contextlib import AsyncExitStack

import pytest
import structlog

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.state.cluster import Cluster
from controller.webhooks.second_look import READ_SECONDS, read_latest
from tests.builders.policy import policy_object
from tests.fakes.api_server import FakeApiServer
from tests.fakes.clock import LoopClock


@pytest.mark.looptime
@pytest.mark.parametrize("answering", [pytest.param(True, id="and is there"), pytest.param(False, id="in vain")])
async def test_what_no_watch_has_brought_is_read(answering: bool) -> None:
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(FakeApiServer())
        client = await stack.enter_async_context(Client(ClientConfiguration(server=api.url), clock=LoopClock()))
        cluster = Cluster(client, LoopClock(), system_namespace="aim-system")
        followed = (cluster.policies, cluster.namespaces, cluster.model_profiles)
        for informer in followed:
            api.serve(informer.resource)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        running = [tasks.create_task(informer.run()) for informer in followed]
        for informer in followed:
            await informer.wait_synced(60.0)

        api.put(cluster.policies.resource, policy_object("gold"))
        await asyncio.sleep(1.0)
        api.serve(cluster.policies.resource).history.clear()
        api.serve(cluster.policies.resource).objects["silver"] = {
            **policy_object("silver"), "metadata": {"name": "silver", "uid": "s", "resourceVersion": "1"},
        }  # fmt: skip
        if not answering:
            running.pop(0).cancel()
        began = asyncio.get_running_loop().time()
        with structlog.testing.capture_logs() as lines:
            await read_latest(cluster)
        took = asyncio.get_running_loop().time() - began
        assert sorted(cluster.policies.store.keys()) == (["gold", "silver"] if answering else ["gold"])
        assert (took < 1.0) if answering else (took == pytest.approx(READ_SECONDS, abs=0.1))
        reasons = [str(line["reason"]).partition(":")[0] for line in lines if line["log_level"] == "warning"]
        assert reasons == ([] if answering else [str(cluster.policies.resource)])
        for task in running:
            task.cancel()
