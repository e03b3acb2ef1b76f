"""The operator's metrics: all of its own, told by the replica that leads and by no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.object import dump
from controller.entrypoints.operator_metrics import OperatorMetrics
from controller.placement.scheduler import ModelScheduler
from controller.reconcilers.scheduler_counts import Eviction, Timed
from controller.runtime.instrument import Instrument
from controller.state.capacity_gauges import CapacityGauges
from controller.state.cluster import Cluster
from controller.state.expected import known_claims
from controller.telemetry import instruments
from controller.telemetry.metrics import Metrics
from tests.builders.claim import bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.builders.inference_service import inference_service
from tests.builders.model_profile import MODEL, model_profile
from tests.builders.plan import plan
from tests.builders.pod import pod

OURS = [
    each
    for each in vars(instruments).values()
    if isinstance(each, Instrument) and instruments.OPERATOR in each.processes
]
TOLD_ELSEWHERE = {instruments.BUILD_INFO, instruments.CERTIFICATE_EXPIRY}
"""Of every process, and of the servers of every replica."""
EVENTS = {instruments.SCHEDULER_OPERATIONS, instruments.SCHEDULER_EVICTIONS}
"""Counters of the SDK: absent before the first event, which only the leader's are."""


class Scene:
    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.fed = FedCluster()
        cluster = self.fed.cluster
        scheduler = ModelScheduler.by_policy(lambda: known_claims(cluster.claim_table, cluster.pod_table))
        self.told = OperatorMetrics(metrics, cluster, scheduler, self.fed.clock)

    def fill(self) -> None:
        """A cluster in which everything has something to tell."""
        fed, cluster = self.fed, self.fed.cluster
        fed.add_node("worker-0", gpu(0), gpu(1, unhealthy=(7,)))
        for name, obj in (("a", made(bound_claim("aim-a", pod="pod-a"))), ("b", waiting())):
            fed.put(cluster.pods, pod(f"pod-{name}", claim=f"aim-{name}"))
            fed.put(cluster.claims, obj)
        fed.put(cluster.plans, made(plan(phase="Pending")))
        fed.put(cluster.services, dump(service()))
        profile = model_profile()
        sizes = [{"precision": "bf16", "totalBytes": 100, "kvCacheBytes": 20, "marginBytes": 10}]
        fed.put(cluster.model_profiles, profile | {"status": {"sizes": sizes, "observed": {"peakBytes": 77}}})

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.told.run())
            await asyncio.sleep(0)
            yield
            task.cancel()

    async def samples(self, instrument: Instrument) -> dict[tuple[str, ...], float]:
        """By the values of its labels, what is told; of a histogram the number of observations."""
        found: dict[tuple[str, ...], float] = {}
        name = instrument.exported_name
        wanted = f"{name}_count" if instrument.buckets else name
        for family in text_string_to_metric_families((await self.metrics.exposition()).decode()):
            for sample in family.samples:
                if sample.name == wanted:
                    assert sample.labels.keys() == set(instrument.labels)
                    found[tuple(sample.labels[label] for label in instrument.labels)] = sample.value
        return found


def made(obj: dict[str, Any]) -> dict[str, Any]:
    return obj | {"metadata": obj["metadata"] | {"creationTimestamp": "2026-01-01T00:00:00Z"}}


def waiting() -> dict[str, Any]:
    told = {"type": "Bound", "status": "False", "reason": "NoPartition", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return made(claim("aim-b", pod="pod-b", memory="30Gi", status={"phase": "Pending", "conditions": [told]}))


def service() -> Any:
    windows = [{"window": "1h", "requests": 5, "attainment": "90", "burn": "5"}]
    target = {"metric": "queueWait", "percentile": "p99", "threshold": "1s", "needed": "98", "windows": windows}
    ready = {"type": "Ready", "status": "True", "reason": "Ok", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return inference_service(status={"slo": [target | {"budgetLeft": "90"}], "conditions": [ready], "readyReplicas": 1})


async def test_the_leader_tells_every_metric_that_the_table_gives_to_the_operator() -> None:
    with closing(Metrics("operator")) as metrics:
        scene = Scene(metrics)
        scene.fill()
        async with scene.leading():
            empty = [each.name for each in OURS if each not in TOLD_ELSEWHERE and not await scene.samples(each)]
    assert empty == []
    assert len(OURS) > 20


async def test_a_replica_that_waits_tells_nothing_of_the_cluster() -> None:
    with closing(Metrics("operator")) as metrics:
        scene = Scene(metrics)
        scene.fill()
        for each in OURS:
            if each not in TOLD_ELSEWHERE:
                assert await scene.samples(each) == {}
        text = (await metrics.exposition()).decode()
        assert all(each.exported_name in text for each in set(OURS) - TOLD_ELSEWHERE - EVENTS)
        async with scene.leading():
            assert await scene.samples(instruments.CLAIMS)
        assert await scene.samples(instruments.CLAIMS) == {}


async def test_what_happens_while_another_replica_leads_is_not_counted_twice() -> None:
    with closing(Metrics("operator")) as metrics:
        scene = Scene(metrics)
        fed, cluster = scene.fed, scene.fed.cluster
        fed.listed(cluster.claims)
        fed.put(cluster.claims, claim("aim-a"))
        fed.put(cluster.claims, bound_claim("aim-a"))
        async with scene.leading():
            fed.put(cluster.claims, claim("aim-b"))
            fed.clock.set(fed.clock.now() + timedelta(seconds=3))
            fed.put(cluster.claims, bound_claim("aim-b"))
            found = await scene.samples(instruments.SCHEDULER_TIME_TO_BIND)
    assert found == {("bound",): 1.0, ("allocated",): 0.0}


async def test_figures_are_those_of_the_cluster_as_it_is_now() -> None:
    with closing(Metrics("operator")) as metrics:
        scene = Scene(metrics)
        scene.fill()
        fed, cluster = scene.fed, scene.fed.cluster
        async with scene.leading():
            scene.told.counts.took(Timed.EXPLAIN, 0.2)
            scene.told.counts.evicted(Eviction.ROLLOUT, "uid-a")
            assert (await scene.samples(instruments.GPU_PARTITIONS))["MI300X", "CPX/NPS4", "ours"] == 1.0
            assert (await scene.samples(instruments.SCHEDULER_PENDING)) == {("team-a", "NoPartition"): 1.0}
            assert (await scene.samples(instruments.SCHEDULER_FRAGMENTATION)) == {("MI300X",): 0.5}
            assert (await scene.samples(instruments.SCHEDULER_EVICTIONS))["Rollout",] == 1.0
            assert (await scene.samples(instruments.SCHEDULER_OPERATION_SECONDS))["explain",] == 1.0
            assert (await scene.samples(instruments.PLAN_PHASE_AGE)) == {("worker-0", "Pending"): 0.0}
            assert (await scene.samples(instruments.MODEL_MEMORY_OBSERVED)) == {("chat-8b", MODEL): 77.0}
            fed.drop(cluster.claims, bound_claim("aim-a"))
            fed.put(cluster.plans, made(plan(phase="Draining")))
            assert (await scene.samples(instruments.GPU_PARTITIONS))["MI300X", "CPX/NPS4", "ours"] == 0.0
            assert (await scene.samples(instruments.PLAN_PHASE_SECONDS))["Pending",] == 1.0
            assert (await scene.samples(instruments.PLANS))["Draining",] == 1.0


async def test_a_look_that_fails_leaves_no_figures_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    capacity = (
        instruments.GPU_PARTITIONS,
        instruments.SCHEDULER_ALLOCATION,
        instruments.SCHEDULER_FRAGMENTATION,
        instruments.SCHEDULER_STRANDED,
    )
    with closing(Metrics("operator")) as metrics:
        scene = Scene(metrics)
        scene.fill()
        async with scene.leading():
            before = [await scene.samples(each) for each in capacity]
            for room, name in ((CapacityGauges, "looking"), (Cluster, "snapshot")):
                with monkeypatch.context() as patch:
                    patch.setattr(room, name, lambda *_: 1 / 0)
                    assert [await scene.samples(each) for each in capacity] == [{}, {}, {}, {}]
                assert [await scene.samples(each) for each in capacity] == before
            assert all(before)
