from dataclasses import replace

import pytest

from controller.gateway.configuration import Caller, GatewayConfiguration, Limits, Objective
from controller.gateway.errors import Problem
from controller.gateway.reload import Lane, Serving, qos_settings
from controller.qos.settings import TenantSettings
from tests.builders.gateway_configuration import caller, configuration, endpoint, route
from tests.controller.gateway.exchanging import ASK_STREAM, eventually, request, serving
from tests.fakes.engine import STREAM_END, STREAM_HEAD, Engine, event, silent

ENGINE = endpoint(1)


def lane(given: GatewayConfiguration, asks: Caller) -> Lane:
    found = Serving(given).lane("llama", asks, None)
    assert isinstance(found, Lane)
    return found


@pytest.mark.parametrize(
    ("service", "ceiling", "want"),
    [
        pytest.param("standard", None, "standard", id="without a ceiling the service's class"),
        pytest.param("realtime", "batch", "batch", id="a ceiling lowers it"),
        pytest.param("batch", "realtime", "batch", id="and never raises it"),
        pytest.param("realtime", "nonsense", "batch", id="one that nobody knows is the worst"),
    ],
)
def test_a_request_is_in_the_services_class_or_under_its_callers_ceiling(
    service: str, ceiling: str | None, want: str
) -> None:
    assert lane(configuration(route(ENGINE, qos_class=service)), caller(ceiling=ceiling)).qos_class == want


def test_engines_of_one_partition_are_its_members_whichever_service_they_are_of() -> None:
    shared = [replace(endpoint(number, uid=f"pod-{number}"), partition="node/gpu/0") for number in (1, 2)]
    settings = qos_settings(configuration(route(shared[0]), route(shared[1], name="qwen")))
    (partition,) = settings.partitions.values()
    assert [(one.endpoint, one.model) for one in partition.members] == [
        ("pod-1", "team-a/llama"),
        ("pod-2", "team-a/qwen"),
    ]


def test_where_pods_share_a_partition_the_lowest_of_their_policies_bounds_it() -> None:
    shared = [replace(endpoint(number, uid=f"pod-{number}"), partition="node/gpu/0") for number in (1, 2)]
    first, second = replace(route(shared[0]), shared_seats=9), replace(route(shared[1], name="qwen"), shared_seats=6)
    assert qos_settings(configuration(first, second)).partitions["node/gpu/0"].seats == 6
    assert qos_settings(configuration(first, replace(second, shared_seats=None))).partitions["node/gpu/0"].seats == 9


def test_a_pod_that_shares_with_nobody_has_all_its_seats() -> None:
    (partition,) = qos_settings(configuration(replace(route(ENGINE), shared_seats=1))).partitions.values()
    assert partition.seats is None


def test_tenants_reach_the_dispatcher() -> None:
    tenants = {"team-a": TenantSettings(max_rate=5.0)}
    assert qos_settings(replace(configuration(route(ENGINE)), tenants=tenants)).tenants == tenants


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(replace(configuration(route(ENGINE)), classes=()), id="without classes"),
        pytest.param(configuration(route(ENGINE, qos_class="gold")), id="a class that there is not"),
        pytest.param(configuration(route(ENGINE), limits=replace(Limits(), idle_seconds=0)), id="a limit of nothing"),
        pytest.param(configuration(route(ENGINE), route(ENGINE, name="qwen")), id="one engine of two services"),
    ],
)
async def test_a_configuration_that_cannot_be_served_is_refused_and_the_old_one_stays(
    bad: GatewayConfiguration,
) -> None:
    with pytest.raises(ValueError, match=r".+: (give|write|keep)"):
        Serving(bad)
    async with Engine() as engine, serving(configuration(route(endpoint(engine.port)))) as (gateway, dial):
        with pytest.raises(ValueError, match=r".+"):
            gateway.reload(bad)
        assert (await (await dial()).ask(request())).status == 200


def objective(threshold: float) -> Objective:
    return Objective("requestLatency", 99.0, threshold, 0.99)


def test_tables_and_counts_outlive_a_reload() -> None:
    given = configuration(replace(route(ENGINE), objectives=(objective(0.3),)))
    before = Serving(given)
    found = before.lane("llama", caller(), None)
    assert isinstance(found, Lane)
    after = Serving(replace(given, open=True), before)
    assert after.tables == {("team-a/llama", "standard"): found.table}
    assert after.counts["team-a/llama"]._counters == before.counts["team-a/llama"]._counters
    assert found.table.counts is after.counts["team-a/llama"]
    assert 0.3 in found.table.success.edges


def test_another_threshold_begins_its_table_anew_and_a_service_that_is_gone_has_none() -> None:
    given = configuration(replace(route(ENGINE), objectives=(objective(0.3),)))
    before = Serving(given)
    assert not isinstance(before.lane("llama", caller(), None), Problem)
    other = configuration(replace(route(ENGINE), objectives=(objective(0.4),)))
    assert Serving(other, before).tables == {}
    assert Serving(configuration(), before).tables == {}


async def test_a_connection_to_an_engine_is_kept_over_a_reload_and_not_to_one_that_moved() -> None:
    async with Engine() as old, Engine() as new:
        given = configuration(route(endpoint(old.port, uid="pod")))
        async with serving(given) as (gateway, dial):
            client = await dial()
            await client.ask(request())
            gateway.reload(replace(given, open=True))
            await client.ask(request())
            assert len(old.connections) == 1
            gateway.reload(configuration(route(endpoint(new.port, uid="pod"))))
            await client.ask(request())
            await old.connections[0].lost.wait()
    assert (len(old.requests), len(new.requests)) == (2, 1)


async def test_requests_that_wait_for_an_engine_are_sent_to_one_that_comes() -> None:
    async with Engine([silent]) as busy, Engine() as free:
        first = endpoint(busy.port, seats=1)
        async with serving(configuration(route(first))) as (gateway, dial):
            waits, client = await dial(), await dial()
            waits.send(request())
            await eventually(lambda: busy.requests)
            client.send(request())
            await eventually(lambda: sum(gateway.statistics().qos.models["team-a/llama"].queued.values()) == 1)
            gateway.reload(configuration(route(first, endpoint(free.port))))
            assert (await client.read()).status == 200
    assert len(free.requests) == 1


async def test_an_engine_that_drains_ends_what_it_has_and_gets_nothing_new() -> None:
    async with Engine([STREAM_HEAD + event(b'{"n":1}')]) as old, Engine() as new:
        drains = endpoint(old.port, uid="old")
        async with serving(configuration(route(drains))) as (gateway, dial):
            client = await dial()
            client.send(request(ASK_STREAM))
            await client.head()
            gateway.reload(configuration(route(replace(drains, ready=False), endpoint(new.port, uid="new"))))
            assert [(await (await dial()).ask(request())).status for _ in range(3)] == [200] * 3
            old.connections[0].send(STREAM_END)
            assert await client.chunk() == b'data: {"n":1}\n\n'
            assert await client.chunk() == b""
    assert (len(old.requests), len(new.requests)) == (1, 3)
