import asyncio
from pathlib import Path

import pytest
import structlog.testing

from controller.exporter.engines.gateway_presence import REMEMBERED_SECONDS
from controller.exporter.engines.reading import LONGEST_WAIT_SECONDS, WAIT_TIMES
from controller.exporter.engines.watching import GatewayService
from controller.runtime.metrics_page import TIMEOUT, TOO_LONG, PageError
from tests.builders.engine_page import vllm_page
from tests.controller.exporter.engines.conftest import GATEWAY, INTERVAL, KEEP, Cluster, reading, write_addresses

pytestmark = pytest.mark.looptime

OURS = {"aim.amd.com/inference-service": "chat"}
KSERVE = {"serving.kserve.io/inferenceservice": "kserve"}
ONE, TWO = "10.0.0.1:8000", "10.0.0.2:8000"


def served(count: int, **more: float) -> str:
    return vllm_page(finished={"stop": count}, **more)  # type: ignore[arg-type]


async def test_requests_of_an_annotated_deployment_appear(cluster: Cluster) -> None:
    async with reading(cluster):
        await asyncio.sleep(5)
        cluster.put_pod("a", "10.0.0.1")
        cluster.put_slice("search", ["a"])
        cluster.pages[ONE] = served(0)
        await asyncio.sleep(5)
        assert await cluster.requests() == {"search": 0}
        cluster.pages[ONE] = served(3)
        await asyncio.sleep(INTERVAL)
        assert await cluster.requests() == {"search": 3}


async def test_all_are_read_once_an_interval(cluster: Cluster) -> None:
    for number in range(1, 9):
        cluster.put_pod(f"p{number}", f"10.0.0.{number}")
        cluster.pages[f"10.0.0.{number}:8000"] = served(0)
    async with reading(cluster):
        await asyncio.sleep(4 * INTERVAL)
        assert set(cluster.asked.values()) <= {4, 5}
        assert len(cluster.asked) == 8
        assert await cluster.told("aim_engines_watched") == [("aim_engines_watched", {}, 8.0)]


async def test_what_an_engine_counted_before_the_exporter_began_is_not_told_and_what_a_new_one_counted_is(
    cluster: Cluster,
) -> None:
    cluster.put_pod("old", "10.0.0.1", labels=KSERVE)
    cluster.pages |= {ONE: served(1000), TWO: served(5)}
    async with reading(cluster):
        await asyncio.sleep(INTERVAL + 1)
        assert await cluster.requests() == {"kserve": 0}
        cluster.put_pod("new", "10.0.0.2", labels=KSERVE)
        cluster.pages[ONE] = served(1001)
        await asyncio.sleep(INTERVAL + 1)
        assert await cluster.requests() == {"kserve": 6}


async def test_a_services_count_goes_on_while_its_pods_are_replaced_and_ends_with_it(cluster: Cluster) -> None:
    async with reading(cluster):
        cluster.put_pod("one", "10.0.0.1", labels=KSERVE)
        cluster.pages |= {ONE: served(5), TWO: served(7)}
        await asyncio.sleep(INTERVAL)
        cluster.end_pod("one")
        await asyncio.sleep(KEEP / 2)
        assert await cluster.requests() == {"kserve": 5}
        cluster.put_pod("two", "10.0.0.2", labels=KSERVE)
        await asyncio.sleep(INTERVAL)
        assert await cluster.requests() == {"kserve": 12}
        cluster.end_pod("two")
        await asyncio.sleep(1)
        assert await cluster.requests() == {"kserve": 12}
        await asyncio.sleep(KEEP + 1)
        assert await cluster.requests() == {}
        for family in ("aim_model_tokens", "aim_model_request_latency_seconds", "aim_model_queued_requests"):
            assert await cluster.told(family) == []


async def test_how_a_pod_is_now_ends_with_the_pod_and_while_it_does_not_answer(cluster: Cluster) -> None:
    cluster.pages[ONE] = served(0, filled=0.5, waiting=2)
    async with reading(cluster):
        cluster.put_pod("one", "10.0.0.1", labels=KSERVE)
        await asyncio.sleep(INTERVAL / 2)
        labels = {"namespace": "team-a", "service": "kserve", "model": "a/b"}
        assert await cluster.told("aim_model_kv_cache_usage") == [("aim_model_kv_cache_usage", labels, 0.5)]
        waiting = ("aim_model_queued_requests", labels | {"priority": ""}, 2.0)
        assert await cluster.told("aim_model_queued_requests") == [waiting]
        cluster.pages[ONE] = PageError(TIMEOUT, "slow")
        await asyncio.sleep(INTERVAL)
        assert await cluster.told("aim_model_kv_cache_usage") == []
        assert await cluster.told("aim_model_queued_requests") == []
        assert await cluster.requests() == {"kserve": 0}
        cluster.pages[ONE] = served(0, filled=0.25)
        await asyncio.sleep(3 * INTERVAL)
        assert [value for _, _, value in await cluster.told("aim_model_kv_cache_usage")] == [0.25]
        cluster.end_pod("one")
        await asyncio.sleep(2)
        assert await cluster.told("aim_model_kv_cache_usage") == []


async def test_a_pod_that_is_not_ready_is_not_asked(cluster: Cluster) -> None:
    cluster.pages[ONE] = served(4)
    async with reading(cluster):
        cluster.put_pod("one", "10.0.0.1", labels=KSERVE, ready=False)
        await asyncio.sleep(2 * INTERVAL)
        assert cluster.asked == {}
        cluster.set_ready("one", ready=True, ip="10.0.0.1")
        await asyncio.sleep(3)
        assert await cluster.requests() == {"kserve": 4}


async def test_how_a_pod_is_now_ends_when_it_is_not_ready_and_it_is_forgotten_when_it_is_gone(cluster: Cluster) -> None:
    cluster.pages[ONE] = served(3, filled=0.5)
    async with reading(cluster):
        cluster.put_pod("one", "10.0.0.1", labels=KSERVE)
        await asyncio.sleep(INTERVAL)
        cluster.set_ready("one", ready=False, ip="10.0.0.1")
        await asyncio.sleep(2)
        assert await cluster.told("aim_model_kv_cache_usage") == []
        assert await cluster.requests() == {"kserve": 3}
        cluster.pages[ONE] = served(4)
        cluster.set_ready("one", ready=True, ip="10.0.0.1")
        await asyncio.sleep(INTERVAL)
        assert await cluster.requests() == {"kserve": 4}  # it is the same engine
        assert cluster.totals.remembered == 1
        cluster.end_pod("one")
        await asyncio.sleep(2)
        assert cluster.totals.remembered == 0


async def test_a_pod_without_the_engines_label_is_not_even_seen(cluster: Cluster) -> None:
    cluster.put_pod("one", "10.0.0.1", labels=KSERVE | {"aim.amd.com/engine": "false"})
    cluster.pages[ONE] = served(4)
    async with reading(cluster):
        await asyncio.sleep(2 * INTERVAL)
        assert (cluster.asked, cluster.watching.pods(), await cluster.requests()) == ({}, set(), {})


async def test_a_slice_that_lists_a_pod_of_another_namespace_says_nothing_of_ours(cluster: Cluster) -> None:
    cluster.pages[ONE] = served(4)
    async with reading(cluster):
        elsewhere = {"kind": "Pod", "namespace": "team-b", "name": "one"}
        cluster.put_slice("stolen", ["one"], targetRef=elsewhere)
        cluster.put_pod("one", "10.0.0.1")
        await asyncio.sleep(INTERVAL)
        assert await cluster.requests() == {"": 4}


async def test_which_pods_were_there_first_is_known_as_long_as_they_are(cluster: Cluster) -> None:
    old = cluster.put_pod("old", "10.0.0.1")["metadata"]["uid"]
    async with reading(cluster):
        new = cluster.put_pod("new", "10.0.0.2")["metadata"]["uid"]
        await asyncio.sleep(2)
        assert [cluster.watching.is_older(uid) for uid in (old, new)] == [True, False]
        cluster.end_pod("old")
        await asyncio.sleep(2)
        assert not cluster.watching.is_older(old)


async def test_of_a_pod_that_is_gone_nothing_is_kept(cluster: Cluster) -> None:
    async with reading(cluster):
        uid = cluster.put_pod("one", "10.0.0.1", labels=KSERVE)["metadata"]["uid"]
        await asyncio.sleep(2)
        assert set(cluster.watching._known) == {uid}
        cluster.end_pod("one")
        await asyncio.sleep(2)
        assert not cluster.watching._known


async def test_whoever_relabels_a_pod_that_runs_makes_no_new_series(cluster: Cluster) -> None:
    cluster.pages[ONE] = served(4)
    async with reading(cluster):
        pod = cluster.put_pod("one", "10.0.0.1", labels=KSERVE)
        await asyncio.sleep(INTERVAL)
        for number in range(5):
            labels = {"serving.kserve.io/inferenceservice": f"x{number}"}
            cluster.put_pod("one", "10.0.0.1", labels=labels, model=f"m{number}")
            cluster.put_slice(f"a{number}", ["one"])
            await asyncio.sleep(INTERVAL)
        assert await cluster.requests() == {"kserve": 4}
        cluster.end_pod("one")
        await asyncio.sleep(5)
        assert cluster.put_pod("one", "10.0.0.1", labels=labels)["metadata"]["uid"] != pod["metadata"]["uid"]
        await asyncio.sleep(INTERVAL)
        assert await cluster.requests() == {"kserve": 4, "x4": 4}  # another pod of that name


async def test_a_pod_that_a_service_lists_only_later_is_that_services(cluster: Cluster) -> None:
    cluster.pages[ONE] = served(4)
    async with reading(cluster):
        cluster.put_pod("one", "10.0.0.1")
        await asyncio.sleep(INTERVAL)
        assert await cluster.requests() == {"": 4}
        cluster.put_slice("search", ["one"])
        cluster.pages[ONE] = served(5)
        await asyncio.sleep(INTERVAL)
        assert await cluster.requests() == {"": 4, "search": 1}
        cluster.put_slice("another", ["one"])
        await asyncio.sleep(KEEP + INTERVAL)
        assert await cluster.requests() == {"search": 1}


async def test_whose_a_pod_is_may_change_until_it_is_ready(cluster: Cluster) -> None:
    cluster.pages[ONE] = served(4)
    cluster.put_slice("drafts", ["one"])
    async with reading(cluster):
        cluster.put_pod("one", "10.0.0.1", ready=False)
        await asyncio.sleep(INTERVAL)
        assert await cluster.requests() == {}
        cluster.put_slice("drafts", [])
        cluster.put_slice("search", ["one"])
        cluster.set_ready("one", ready=True, ip="10.0.0.1")
        await asyncio.sleep(INTERVAL)
        assert await cluster.requests() == {"search": 4}


# --- beside a gateway


async def test_requests_of_our_services_are_the_gateways_while_it_is_there(cluster: Cluster) -> None:
    cluster.put_slice("gateway", ["g"], "gateways")
    cluster.pages |= {ONE: served(10, filled=0.5), TWO: served(20)}
    async with reading(cluster):
        cluster.put_pod("ours", "10.0.0.1", labels=OURS)
        cluster.put_pod("theirs", "10.0.0.2", labels=KSERVE)
        await asyncio.sleep(2 * INTERVAL)
        assert await cluster.requests() == {"kserve": 20}
        filled = {labels["service"]: value for _, labels, value in await cluster.told("aim_model_kv_cache_usage")}
        assert filled["chat"] == 0.5
        waiting = [labels["service"] for _, labels, _ in await cluster.told("aim_model_queued_requests")]
        assert waiting == ["kserve"]  # the gateway has a queue of its own


async def test_without_it_for_some_minutes_the_exporter_tells_of_all_and_then_no_more(cluster: Cluster) -> None:
    cluster.put_slice("gateway", ["g"], "gateways")
    cluster.pages[ONE] = served(10)
    async with reading(cluster):
        cluster.put_pod("ours", "10.0.0.1", labels=OURS)
        await asyncio.sleep(INTERVAL)
        cluster.put_slice("gateway", ["g"], "gateways", conditions={"ready": False})
        await asyncio.sleep(REMEMBERED_SECONDS - 2 * INTERVAL)
        assert await cluster.requests() == {}
        await asyncio.sleep(4 * INTERVAL)
        cluster.pages[ONE] = served(13)
        await asyncio.sleep(INTERVAL)
        assert await cluster.requests() == {"chat": 3}  # what came by the gateway, it told
        cluster.put_slice("gateway", ["g"], "gateways", conditions={"ready": True})
        await asyncio.sleep(1)
        assert await cluster.requests() == {}


async def test_where_engines_are_reached_by_the_gateway_alone_it_tells_of_all() -> None:
    cluster = Cluster(GatewayService(GATEWAY.namespace, GATEWAY.name, tells_all=True), None)
    cluster.put_slice("gateway", ["g"], "gateways")
    cluster.pages[ONE] = served(10, filled=0.5)
    async with reading(cluster):
        cluster.put_pod("theirs", "10.0.0.1", labels=KSERVE)
        await asyncio.sleep(INTERVAL)
        assert await cluster.requests() == {}
        assert len(await cluster.told("aim_model_kv_cache_usage")) == 1


async def test_without_a_gateway_at_all_slices_of_its_name_say_nothing() -> None:
    cluster = Cluster(None, None)
    cluster.put_slice("gateway", ["g"], "gateways")
    cluster.pages[ONE] = served(10)
    async with reading(cluster):
        cluster.put_pod("ours", "10.0.0.1", labels=OURS)
        await asyncio.sleep(INTERVAL)
        assert await cluster.requests() == {"chat": 10}


# --- engines that misbehave


async def results(cluster: Cluster) -> dict[str, float]:
    return {labels["result"]: value for _, labels, value in await cluster.told("aim_engine_scrapes")}


async def test_readings_are_counted_by_result_each_from_the_start(cluster: Cluster) -> None:
    async with reading(cluster):
        before = await results(cluster)
        assert before == dict.fromkeys(
            ("success", "unreachable", "timeout", "refused", "too_long", "unknown", "unreadable"), 0
        )
        cluster.pages |= {ONE: served(1), TWO: "up 1", "10.0.0.3:8000": PageError(TOO_LONG, "long")}
        cluster.pages |= {"10.0.0.4:8000": RuntimeError("made us fail")}
        for number in range(1, 6):
            cluster.put_pod(f"p{number}", f"10.0.0.{number}", labels=KSERVE)
        await asyncio.sleep(3)
        want = {"success": 1, "unknown": 1, "too_long": 1, "unreadable": 1, "unreachable": 1}
        assert await results(cluster) == before | want
        await asyncio.sleep(INTERVAL)
        assert (await results(cluster))["success"] == 2  # nobody ended the reading of the others


async def test_an_engine_that_fails_is_asked_ever_less_often_and_logged_once(cluster: Cluster) -> None:
    with structlog.testing.capture_logs() as logs:
        async with reading(cluster):
            cluster.put_pod("one", "10.0.0.1", labels=KSERVE)
            await asyncio.sleep(1000)
    assert 1000 / LONGEST_WAIT_SECONDS <= cluster.asked[ONE] <= 16
    told = [entry for entry in logs if entry["event"] == "engine not read"]
    assert [entry["service"] for entry in told] == ["team-a/kserve"]
    assert "nobody listens" in told[0]["problem"]


async def test_an_engine_that_answered_in_between_is_asked_and_logged_as_at_first(cluster: Cluster) -> None:
    with structlog.testing.capture_logs() as logs:
        async with reading(cluster):
            cluster.put_pod("one", "10.0.0.1", labels=KSERVE)
            await asyncio.sleep(300)
            cluster.pages[ONE] = served(1)
            await asyncio.sleep(LONGEST_WAIT_SECONDS + INTERVAL)
            del cluster.pages[ONE]
            cluster.asked.clear()
            await asyncio.sleep(3 * INTERVAL)
    assert cluster.asked[ONE] >= 2
    assert len([entry for entry in logs if entry["event"] == "engine not read"]) == 2


async def test_engines_that_dawdle_keep_nobody_from_being_read() -> None:
    cluster = Cluster(None, None, at_once=2)
    slow = [f"10.0.1.{number}:8000" for number in range(1, 9)]
    cluster.slow = dict.fromkeys(slow, 4.0)
    cluster.pages |= {one: served(0) for one in (ONE, *slow)}
    async with reading(cluster):
        cluster.put_pod("quick", "10.0.0.1", labels=KSERVE)
        for number in range(1, 9):
            cluster.put_pod(f"slow-{number}", f"10.0.1.{number}", labels=KSERVE)
        await asyncio.sleep(400)
    assert cluster.most_at_once == 2
    assert cluster.asked[ONE] > 400 / INTERVAL / 2
    assert max(cluster.asked[one] for one in slow) <= 400 / (4.0 * WAIT_TIMES) + 1


async def test_beyond_the_most_engines_the_first_by_uid_are_read_and_it_is_said_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.exporter.engines.reading.MOST_ENGINES", 2)
    uids = {}
    with structlog.testing.capture_logs() as logs:
        async with reading(cluster):
            for number in range(1, 5):
                ip = f"10.0.0.{number}"
                cluster.pages[f"{ip}:8000"] = served(0)
                uids[cluster.put_pod(f"p{number}", ip, labels=KSERVE)["metadata"]["uid"]] = f"{ip}:8000"
                await asyncio.sleep(2)
            assert await cluster.told("aim_engines_watched") == [("aim_engines_watched", {}, 2.0)]
            cluster.asked.clear()
            await asyncio.sleep(2 * INTERVAL)
    assert set(cluster.asked) == {uids[uid] for uid in sorted(uids)[:2]}
    assert [(entry["engines"], entry["read"]) for entry in logs if entry["log_level"] == "error"] == [(3, 2)]


# --- simulations


async def test_a_file_says_where_engines_listen(tmp_path: Path) -> None:
    path = tmp_path / "addresses"
    cluster = Cluster(None, path)
    cluster.pages["127.0.0.1:4000"] = served(2)
    async with reading(cluster):
        pod = cluster.put_pod("one", "10.0.0.1", labels=KSERVE)
        await asyncio.sleep(INTERVAL)
        assert cluster.asked == {}
        write_addresses(path, {pod["metadata"]["uid"]: "127.0.0.1:4000"})
        await asyncio.sleep(3)
        assert await cluster.requests() == {"kserve": 2}
        with structlog.testing.capture_logs() as logs:
            path.write_text("[]")
            await asyncio.sleep(3)
    assert [entry["event"] for entry in logs] == ["addresses not read"]
