import asyncio

import pytest

from controller.exporter.engines.service_metrics import EDGES
from controller.exporter.engines.vocabulary import Measure
from controller.runtime.instrument import Instrument
from controller.telemetry import instruments
from controller.telemetry.bounds import MOST_SERVICES
from controller.telemetry.instruments import EXPORTER
from tests.builders.engine_page import histogram, vllm_page
from tests.controller.exporter.engines.conftest import INTERVAL, Cluster, reading

pytestmark = pytest.mark.looptime

KSERVE = {"serving.kserve.io/inferenceservice": "kserve"}
OF = {"namespace": "team-a", "service": "kserve", "model": "a/b"}
ONE = "10.0.0.1:8000"


async def test_every_family_has_its_labels_and_the_engines_figures(cluster: Cluster) -> None:
    cluster.pages[ONE] = "\n".join(
        [
            vllm_page(finished={"stop": 3, "abort": 1}, prompt=90, made=30, waiting=2, filled=0.5, seconds=[0.4, 3.0]),
            histogram("vllm:time_to_first_token_seconds", [0.1], (0.1,)),
            histogram("vllm:request_time_per_output_token_seconds", [0.02], (0.025,)),
            histogram("vllm:request_queue_time_seconds", [0.2], (0.3,)),
            'http_requests_total{method="POST",handler="/v1/chat/completions",status="5xx"} 4',
        ]
    )
    async with reading(cluster):
        cluster.put_pod("one", "10.0.0.1", labels=KSERVE)
        await asyncio.sleep(INTERVAL / 2)
        everybody = OF | {"priority": ""}
        requests = {labels["code"]: value for _, labels, value in await cluster.told("aim_model_requests")}
        assert requests == {"200": 3, "499": 1, "5xx": 4}
        name, labels, _ = (await cluster.told("aim_model_requests"))[0]
        assert (name, labels) == ("aim_model_requests_total", everybody | {"code": "200", "reason": ""})
        tokens = {labels["direction"]: value for _, labels, value in await cluster.told("aim_model_tokens")}
        assert tokens == {"input": 90, "output": 30}
        for family, more, seconds, count in (
            ("aim_model_request_latency_seconds", {"outcome": "success"}, 3.4, 2),
            ("aim_model_time_to_first_byte_seconds", {}, 0.1, 1),
            ("aim_model_time_per_output_token_seconds", {}, 0.02, 1),
            ("aim_model_queue_wait_seconds", {}, 0.2, 1),
        ):
            found = {name: (labels, value) for name, labels, value in await cluster.told(family)}
            labels, total = found[f"{family}_sum"]
            assert (labels, round(total, 6)) == (everybody | more, seconds)
            assert found[f"{family}_count"] == (everybody | more, count)


async def test_histograms_have_the_buckets_of_the_table(cluster: Cluster) -> None:
    cluster.pages[ONE] = vllm_page(seconds=[0.4])
    async with reading(cluster):
        cluster.put_pod("one", "10.0.0.1", labels=KSERVE)
        await asyncio.sleep(INTERVAL / 2)
        told = await cluster.told("aim_model_request_latency_seconds")
    buckets = {float(labels["le"]): value for name, labels, value in told if name.endswith("_bucket")}
    assert sorted(buckets)[:-1] == list(EDGES[Measure.LATENCY])
    assert (buckets[0.25], buckets[0.5], buckets[600.0]) == (0, 1, 1)


async def test_pods_of_one_service_are_added_up_and_its_fullest_cache_is_told(cluster: Cluster) -> None:
    cluster.pages[ONE] = vllm_page(finished={"stop": 3}, waiting=2, filled=0.5, seconds=[1.0])
    cluster.pages["10.0.0.2:8000"] = vllm_page(finished={"stop": 4}, waiting=1, filled=0.75, seconds=[9.0])
    async with reading(cluster):
        cluster.put_pod("one", "10.0.0.1", labels=KSERVE)
        cluster.put_pod("two", "10.0.0.2", labels=KSERVE)
        await asyncio.sleep(INTERVAL / 2)
        assert await cluster.requests() == {"kserve": 7}
        assert [value for _, _, value in await cluster.told("aim_model_queued_requests")] == [3]
        assert [value for _, _, value in await cluster.told("aim_model_kv_cache_usage")] == [0.75]
        told = await cluster.told("aim_model_request_latency_seconds")
        assert [value for name, _, value in told if name.endswith("_sum")] == [10.0]
        cluster.pages = {ONE: cluster.pages["10.0.0.2:8000"], "10.0.0.2:8000": cluster.pages[ONE]}
        await asyncio.sleep(INTERVAL)
        assert [value for _, _, value in await cluster.told("aim_model_kv_cache_usage")] == [0.75]  # whichever it is


async def test_services_beyond_the_most_are_told_together(cluster: Cluster) -> None:
    more = 3
    for number in range(MOST_SERVICES + more):
        name, ip = f"s{number:04}", f"10.1.{number // 250}.{number % 250}"
        cluster.put_pod(name, ip, labels={"serving.kserve.io/inferenceservice": name})
        cluster.pages[f"{ip}:8000"] = vllm_page(filled=number / 1000, waiting=1, seconds=[1.0])
    async with reading(cluster):
        await asyncio.sleep(INTERVAL + 1)
        for number in range(MOST_SERVICES + more):
            ip = f"10.1.{number // 250}.{number % 250}"
            cluster.pages[f"{ip}:8000"] = vllm_page(
                finished={"stop": 2}, filled=number / 1000, waiting=1, seconds=[1.0, 2.0]
            )
        await asyncio.sleep(INTERVAL)
        requests = await cluster.requests()
        assert (len(requests), requests["s0000"], requests["other"]) == (MOST_SERVICES + 1, 2, 2 * more)
        (fullest,) = [
            v for _, labels, v in await cluster.told("aim_model_kv_cache_usage") if labels["model"] == "other"
        ]
        assert fullest == (MOST_SERVICES + more - 1) / 1000
        (waiting,) = [
            v for _, labels, v in await cluster.told("aim_model_queued_requests") if labels["model"] == "other"
        ]
        assert waiting == more
        told = await cluster.told("aim_model_request_latency_seconds")
        counts = [value for name, labels, value in told if name.endswith("_count") and labels["namespace"] == "other"]
        assert counts == [more]


async def test_pods_of_one_service_that_name_two_models_have_series_of_each(cluster: Cluster) -> None:
    cluster.pages |= {ONE: vllm_page(finished={"stop": 1}), "10.0.0.2:8000": vllm_page(finished={"stop": 2})}
    async with reading(cluster):
        cluster.put_pod("one", "10.0.0.1", labels=KSERVE)
        cluster.put_pod("two", "10.0.0.2", labels=KSERVE, model="a/c")
        await asyncio.sleep(INTERVAL / 2)
        told = [one for one in await cluster.told("aim_model_requests") if one[1]["code"] == "200"]
    assert {labels["model"]: value for _, labels, value in told} == {"a/b": 1, "a/c": 2}


async def test_all_that_the_table_gives_the_exporter_is_told(cluster: Cluster) -> None:
    declared = [one for one in vars(instruments).values() if isinstance(one, Instrument) and EXPORTER in one.processes]
    page = (await cluster.metrics.exposition()).decode()
    assert len(declared) >= 11
    for one in declared:
        assert f"# TYPE {one.exported_name} {one.kind}" in page
