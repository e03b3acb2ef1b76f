"""A plan on a cluster as it is: what comes, stays, leaves, moves, and that the operator's own scheduler decides it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from controller.cli.documents import parse_documents
from controller.cli.live_cluster import Live
from controller.cli.live_plan import LivePlan, plan_live
from controller.cli.live_plan_view import document, lines, summary
from controller.cli.wanted import gather
from controller.placement.scheduler import ModelScheduler
from controller.placement.scores import Score, best_fit
from controller.placement.snapshot import Gpu
from controller.runtime.client.core import NODES, PODS
from controller.sizing.catalog import Catalog
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS
from controller.state.models import Models
from tests.builders.claim import allocation, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.node import node_object
from tests.builders.plan import plan, reservation
from tests.builders.pod import OPTED_IN, pod
from tests.builders.resource_claim import resource_claim
from tests.controller.cli.explain_scenes import asks, cluster_of, holds
from tests.controller.reconcilers.gpu_partition_claim.api import InMemoryApi
from tests.controller.reconcilers.gpu_partition_claim.conftest import SMALL
from tests.controller.reconcilers.gpu_partition_claim.flow import Operator
from tests.fakes.clock import FakeClock

LARGE = "meta-llama/Llama-3.3-70B-Instruct"


def service(name: str, model: str = "Qwen/Qwen3-4B", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "team-a"},
        "spec": {"model": {"id": model}} | spec,
    }


def planned(fed: FedCluster, *objects: dict[str, Any], scheduler: ModelScheduler | None = None) -> LivePlan:
    text = "\n---\n".join(map(json.dumps, objects))
    wanted = gather(list(parse_documents(Path("given.yaml"), text)))
    return plan_live(Live(fed.cluster, Models(Catalog.bundled())), wanted, scheduler or ModelScheduler())


def need_of(model: str = "Qwen/Qwen3-4B") -> int:
    size: int = document(planned(cluster_of(gpu()), service("any", model)))["services"][0]["need_bytes"]
    return size


def serves(
    fed: FedCluster, name: str, indices: Sequence[int], model: str = "Qwen/Qwen3-4B", of: Gpu | None = None
) -> None:
    """Pods of a service of ours, each on one partition of the first GPU."""
    for index in indices:
        of_claim = f"aim-{name}-{index}"
        metadata = {"labels": labels_of(name)}
        own = OPTED_IN | {"aim.amd.com/model-id": model}
        stored = pod(
            f"{name}-{index}",
            claim=of_claim,
            gates=(),
            node="worker-0",
            phase="Running",
            annotations=own,
            metadata=metadata,
        )
        fed.put(fed.cluster.pods, stored)
        status = {"phase": "Allocated", "allocation": allocation("worker-0", 0, index, of=of)}
        held = claim(of_claim, pod=f"{name}-{index}", memory=str(need_of(model)), precision="bf16", status=status)
        fed.put(fed.cluster.claims, held)


def labels_of(name: str) -> dict[str, str]:
    """The labels that the operator gives to the pods of a service."""
    wanted = gather(list(parse_documents(Path("given.yaml"), json.dumps(service(name)))))
    return dict(wanted.workloads[0].pod.labels)


def test_new_pods_go_where_the_operator_would_put_them() -> None:
    found = planned(cluster_of(gpu()), service("chat", replicas=2))
    assert lines(found) == ["+ team-a/chat: 2 pods of 19.3 GiB to worker-0 (CPX/NPS4, 24.0 GiB)"]
    assert summary(found).startswith("2 pods to place, 0 to leave, 0 as they are, 0 waiting")


def test_what_is_held_is_not_given_again() -> None:
    fed = cluster_of(gpu())
    for index in range(7):
        holds(fed, f"aim-{index}", index)
    found = document(planned(fed, service("chat", replicas=2)))
    assert [row["placed"] for row in found["services"][0]["replicas"]] == [True, False]
    assert found["services"][0]["replicas"][0]["partition"] == 7


def test_a_service_that_is_there_already_stays_as_it_is() -> None:
    fed = cluster_of(gpu())
    serves(fed, "chat", [3, 5])
    assert lines(planned(fed, service("chat", replicas=2))) == ["= team-a/chat: 2 pods, nothing changes"]


def test_more_and_fewer_replicas_leave_the_others_alone() -> None:
    fed = cluster_of(gpu())
    serves(fed, "chat", [3, 5])
    more = lines(planned(fed, service("chat", replicas=3)))
    assert more == [
        "= team-a/chat: 2 pods as now",
        "+ team-a/chat: 1 pod of 19.3 GiB to worker-0 (CPX/NPS4, 24.0 GiB)",
    ]
    fewer = lines(planned(fed, service("chat", replicas=1)))
    assert fewer == ["= team-a/chat: 1 pod as now", "- team-a/chat: 1 pod from worker-0 (CPX/NPS4, 24.0 GiB)"]


def test_a_service_that_asks_for_something_else_gives_its_places_back_first() -> None:
    fed = cluster_of(gpu(0, "SPX/NPS1"))
    serves(fed, "chat", [0], of=gpu(0, "SPX/NPS1"))
    found = lines(planned(fed, service("chat", "meta-llama/Llama-3.3-70B-Instruct")))
    assert found == [
        "- team-a/chat: 1 pod from worker-0 (SPX/NPS1, 192.0 GiB)",
        "~ team-a/chat: 1 pod of 158.9 GiB to worker-0 (SPX/NPS1, 192.0 GiB)",
    ]


def test_an_update_that_finds_no_place_is_held_back_and_the_old_pods_serve_on() -> None:
    fed = cluster_of(gpu(0, "DPX/NPS1"))
    serves(fed, "chat", [0, 1], of=gpu(0, "DPX/NPS1"))
    found = planned(fed, service("chat", "meta-llama/Llama-3.3-70B-Instruct", replicas=2))
    assert lines(found)[0] == "= team-a/chat: 2 pods as now"
    assert lines(found)[1].startswith(
        "! team-a/chat: the update would be blocked, and what serves serves on: NoPartition"
    )
    assert summary(found).startswith("0 pods to place, 0 to leave, 2 as they are, 0 waiting")
    (only,) = document(found)["services"]
    assert (only["action"], only["blocked"]["reason"]) == ("!", "NoPartitionFits")


def test_kserves_own_service_on_a_full_cluster_is_said_to_be_stuck() -> None:
    fed, whole = cluster_of(gpu(0, "SPX/NPS1")), gpu(0, "SPX/NPS1")
    known = fed.cluster
    for informer in (known.pods, known.claims, known.resource_claims, known.policies, known.model_profiles):
        fed.listed(informer)
    fed.listed(known.nodes)
    fed.listed(known.gpu_nodes)
    fed.add_node("worker-0", whole)
    own = OPTED_IN | {"aim.amd.com/model-id": "Qwen/Qwen3-4B"}
    labels = {"labels": {"serving.kserve.io/inferenceservice": "chat"}}
    serving = pod("chat-0", gates=(), node="worker-0", phase="Running", annotations=own, metadata=labels)
    fed.put(fed.cluster.pods, serving)
    status = {"phase": "Allocated", "allocation": allocation("worker-0", of=whole)}
    fed.put(fed.cluster.claims, claim(pod="chat-0", memory=str(need_of()), precision="bf16", status=status))
    predictor = {"containers": [{"name": "kserve-container", "image": "x"}]}
    longer = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "chat",
            "namespace": "team-a",
            "annotations": own | {"aim.amd.com/max-model-len": "16384"},
        },
        "spec": {"predictor": predictor},
    }
    found = planned(fed, longer)
    (told,) = [line for line in lines(found) if line.startswith("!")]
    assert told.startswith("! team-a/chat: KServe rolls out at once: the new pod waits: no partition is free beside")
    assert document(found)["services"][0]["warning"]


def test_the_claims_of_others_that_wait_come_first_where_they_are_older() -> None:
    fed = cluster_of(gpu(0, "DPX/NPS1"))
    holds(fed, "aim-theirs", 0, of=gpu(0, "DPX/NPS1"))
    serves(fed, "chat", [1], of=gpu(0, "DPX/NPS1"))
    asks(fed, "aim-waits", memory="60Gi", namespace="team-b")
    found = planned(fed, service("chat", replicas=0))
    assert lines(found)[-1].startswith("+ claim team-b/aim-waits, which waits now, gets worker-0 0000:01:00.0/1")


def test_the_claims_of_others_that_wait_already_go_before_pods_that_come_now() -> None:
    fed = cluster_of(gpu(0, "SPX/NPS1"))
    asks(fed, "aim-waits", memory="60Gi", namespace="team-b")
    fed.clock.tick(1.0)
    found = planned(fed, service("chat"))
    assert list(found.others) == ["team-b/aim-waits"]
    assert lines(found)[0].startswith("! team-a/chat: 1 pod would wait: NoFreePartition")


def test_every_partition_of_a_pod_that_gets_several_is_named() -> None:
    found = planned(cluster_of(gpu()), service("chat", gpuSharing={"partition": {"count": 2}}))
    (row,) = document(found)["services"][0]["replicas"]
    assert [(each["bdf"], each["partition"]) for each in row["partitions"]] == [
        ("0000:01:00.0", 0),
        ("0000:01:00.0", 1),
    ]
    assert lines(found)[0].startswith("+ team-a/chat: 1 pod of 2 x ")
    assert lines(found)[0].endswith("to worker-0 (2 partitions of CPX/NPS4, 24.0 GiB)")
    assert document(found)["services"][0]["partition_count"] == 2


def test_a_policy_of_the_files_counts_as_if_it_were_there() -> None:
    policy = {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {"name": "changes"},
        "spec": {"validatedOnly": False, "repartition": {"enabled": True, "approval": "Auto"}},
    }
    large = service("large", "meta-llama/Llama-3.3-70B-Instruct")
    assert not planned(cluster_of(gpu(0, "CPX/NPS1")), large).changes
    found = planned(cluster_of(gpu(0, "CPX/NPS1")), large, policy)
    assert "~ node worker-0 0000:01:00.0 changes CPX/NPS1 -> SPX/NPS1" in lines(found)


def test_what_would_wait_comes_with_the_nearest_change() -> None:
    fed = cluster_of(gpu(0, "CPX/NPS4"))
    found = lines(planned(fed, service("large", "meta-llama/Llama-3.3-70B-Instruct")))
    assert found[0].startswith("! team-a/large: 1 pod would wait: NoPartitionFits: ")
    assert found[1].startswith("    nearest change: set spec.gpuSharing.partition.count to 8 (the owner of the pod)")


def test_who_names_a_policy_that_is_not_there_is_told() -> None:
    (found,) = lines(planned(cluster_of(gpu()), service("chat", gpuSharing={"policyRef": "none"})))
    assert "PolicyNotFound" in found


def test_nobody_leaves_while_as_many_pods_are_down_for_changes_as_the_policy_lets_be() -> None:
    fed = cluster_of(gpu(0, "SPX/NPS1"), repartition={"enabled": False, "maxUnavailablePods": 1})
    holds(fed, "aim-theirs", 0, of=gpu(0, "SPX/NPS1"))
    urgent = {**pod("urgent", claim=None, gates=(), annotations=OPTED_IN | {"aim.amd.com/model-id": LARGE}, priority=9)}
    assert "1 to leave" in summary(planned(fed, urgent))
    moved = plan("plan-1", "worker-9", phase="Draining")
    moved["status"]["reservations"] = [reservation(gpu(0).bdf, node="worker-9", evictedTime="2026-01-01T00:00:00Z")]
    fed.put(fed.cluster.plans, moved)
    assert "0 to leave" in summary(planned(fed, urgent))


def worst_fit(snapshot: Any, asked: Any, host: Any, card: Any, part: Any) -> Score:
    kept, left, free, name, bdf, index = best_fit(snapshot, asked, host, card, part)
    return kept, -left, free, name, bdf, index


async def test_whoever_spoils_the_scorer_spoils_the_plan_and_the_operator_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hosts = (gpu(0, "CPX/NPS1"), gpu(1, "SPX/NPS1"))

    async def by_operator(api: InMemoryApi) -> str:
        api.put(NODES, node_object())
        api.put(GPU_NODES, gpu_node("worker-0", *hosts))
        api.put(PODS, pod(annotations=SMALL))
        operator = Operator(api, FakeClock())
        for _ in range(2):
            await operator.round()
        mode: str = api.of(GPU_PARTITION_CLAIMS)[0]["status"]["allocation"]["devices"][0]["mode"]
        return mode

    def by_plan() -> str:
        mode: str = document(planned(cluster_of(*hosts), service("chat")))["services"][0]["replicas"][0]["mode"]
        return mode

    assert (await by_operator(InMemoryApi()), by_plan()) == ("CPX/NPS1", "CPX/NPS1")
    monkeypatch.setattr(ModelScheduler.__init__, "__defaults__", (worst_fit,))
    assert (await by_operator(InMemoryApi()), by_plan()) == ("SPX/NPS1", "SPX/NPS1")


def test_pods_of_lower_priority_that_a_change_moves_get_their_places_first() -> None:
    fed = cluster_of(gpu(0, "CPX/NPS1"), validatedOnly=False, repartition={"enabled": True, "approval": "Auto"})
    fed.add_node("worker-1", gpu(0, "CPX/NPS1"))
    holds(fed, "aim-theirs", 0, of=gpu(0, "CPX/NPS1"))
    foreign = resource_claim("x", namespace="team-x", device=gpu(0).partitions[0].device, pool="worker-1")
    fed.put(fed.cluster.resource_claims, foreign)
    container = {"name": "main", "image": "engine"}
    annotations = OPTED_IN | {"aim.amd.com/model-id": "meta-llama/Llama-3.3-70B-Instruct"}
    metadata = {"name": "urgent", "namespace": "team-a", "annotations": annotations}
    urgent = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [container], "priority": 9},
    }
    found = planned(fed, urgent)
    assert [victim.name for victim in found.moved] == ["team-b/aim-theirs-0"]
    assert "~ pod team-b/aim-theirs-0 moves to worker-1 0000:01:00.0/1 (CPX/NPS1, 24.0 GiB)" in lines(found)
    assert document(found)["moved"][0]["node"] == "worker-1"
