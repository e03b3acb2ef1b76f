from typing import Any

import pytest

from api.v1beta1 import RepartitionPlan
from controller.reconcilers.repartition_plan.holders import are, holders_of, processes_on
from controller.state.plans import reloads
from tests.builders.claim import bound_claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, device_name, gpu
from tests.builders.gpu_node import gpu_node
from tests.builders.plan import plan
from tests.builders.pod import container, pod
from tests.builders.resource_claim import resource_claim
from tests.controller.reconcilers.repartition_plan.plane import BEFORE, NEIGHBOUR


def the_plan(*, to: str = "CPX/NPS1", numbers: tuple[int, ...] = (0,), **spec: Any) -> RepartitionPlan:
    made = plan(numbers=numbers)
    made["spec"] |= {"to": {"gpus": [{"bdf": bdf(number), "mode": to} for number in numbers]}} | spec
    return RepartitionPlan.model_validate(made)


def with_neighbour() -> FedCluster:
    fed = FedCluster()
    fed.add_node("worker-0", BEFORE, NEIGHBOUR)
    return fed


@pytest.mark.parametrize(
    ("admin", "number", "want"),
    [
        pytest.param(False, 0, [f"{bdf(0)}/0"], id="somebody's device"),
        pytest.param(True, 0, [f"{bdf(0)}/0"], id="a device under adminAccess"),
        pytest.param(False, 1, [], id="a GPU that the plan does not touch"),
    ],
)
def test_who_holds_the_gpus_of_a_plan(admin: bool, number: int, want: list[str]) -> None:
    fed = with_neighbour()
    fed.put(fed.cluster.resource_claims, resource_claim("x", device=device_name(number, 0), admin=admin))
    assert holders_of(fed.cluster, the_plan()) == want


def test_a_bound_claim_holds_before_the_scheduler_has_confirmed_it() -> None:
    fed = FedCluster()
    fed.add_node("worker-0", gpu(0))
    fed.put(fed.cluster.claims, bound_claim())
    assert holders_of(fed.cluster, the_plan()) == [f"{bdf(0)}/0"]


def test_a_change_of_memory_mode_needs_every_gpu_of_the_node() -> None:
    fed = with_neighbour()
    fed.put(fed.cluster.resource_claims, resource_claim("x", device=device_name(1, 0)))
    memory = the_plan(to="CPX/NPS4")
    assert (reloads(memory), holders_of(fed.cluster, memory)) == (True, [f"{bdf(1)}/0"])
    assert (reloads(the_plan()), holders_of(fed.cluster, the_plan())) == (False, [])


def test_a_device_of_the_plugin_that_nobody_has_located_may_be_any() -> None:
    fed = with_neighbour()
    fed.put(fed.cluster.pods, plugin_pod())
    (held,) = holders_of(fed.cluster, the_plan()) or []
    assert held.startswith("1 device of AMD's device plugin")


def test_one_that_the_kubelet_has_told_of_holds_that_device_alone() -> None:
    fed = with_neighbour()
    fed.put(fed.cluster.pods, plugin_pod())
    assigned = {"namespace": "team-c", "pod": "foreign", "container": "main", "resource": "amd.com/gpu", "device": "x"}
    told = gpu_node("worker-0", BEFORE, NEIGHBOUR)
    told["status"]["assigned"] = [assigned | {"bdf": bdf(1), "partition": 0}]
    fed.put(fed.cluster.gpu_nodes, told)
    assert holders_of(fed.cluster, the_plan()) == []
    assert holders_of(fed.cluster, the_plan(numbers=(1,))) == [f"{bdf(1)}/0"]


def plugin_pod() -> dict[str, Any]:
    asks = container(limits={"amd.com/gpu": "1"})
    return pod(
        "foreign", asks, namespace="team-c", claim=None, gates=(), node="worker-0", phase="Running", annotations={}
    )


def test_a_node_without_inventory_is_not_known() -> None:
    assert holders_of(FedCluster().cluster, the_plan()) is None
    assert processes_on(FedCluster().cluster, the_plan()) == []


@pytest.mark.parametrize(
    ("counts", "want"),
    [
        pytest.param((None, None), [], id="nobody can tell"),
        pytest.param((0, 3), [], id="a GPU that the plan does not touch"),
        pytest.param((2, 0), [f"{bdf(0)} (2)"], id="processes on the plan's GPU"),
    ],
)
def test_processes_on_the_gpus_of_a_plan(counts: tuple[int | None, int | None], want: list[str]) -> None:
    fed = with_neighbour()
    reported = gpu_node("worker-0", BEFORE, NEIGHBOUR)
    for entry, count in zip(reported["status"]["gpus"], counts, strict=True):
        entry["processes"] = count
    fed.put(fed.cluster.gpu_nodes, reported)
    assert processes_on(fed.cluster, the_plan()) == want


@pytest.mark.parametrize(
    ("held", "want"),
    [
        (["0000:01:00.0/0"], "0000:01:00.0/0 is"),
        (["0000:01:00.0/0", "0000:01:00.0/1"], "0000:01:00.0/0, 0000:01:00.0/1 are"),
        (["2 devices of a plugin, which nobody knows,"], "2 devices of a plugin, which nobody knows, are"),
    ],
)
def test_what_is_held_has_its_verb(held: list[str], want: str) -> None:
    assert are(held) == want
