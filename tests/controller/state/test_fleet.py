"""Nodes that are joined anew only where something changed are those that joining everything would give."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from api.object import dump
from api.v1beta1.inference_service import KeptPlace
from controller.binding.dra import Pin, PinnedDevice, claim_spec
from controller.gpu.identity import PartitionId
from controller.placement.demand import Resources
from controller.placement.node import Node
from controller.runtime.cache.informer import Informer
from controller.runtime.cache.store import EventType, StoreEvent
from controller.state.assumptions import Assumption
from controller.state.fleet import Fleet
from controller.state.update_places import UpdatePlaces
from tests.builders.claim import allocation, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, device_name, gpu
from tests.builders.gpu_node import gpu_node, lease
from tests.builders.inference_service import inference_service
from tests.builders.node import node_object
from tests.builders.plan import plan, reservation
from tests.builders.plugin import CPX, assigned
from tests.builders.pod import ASSIGNED, OPTED_IN, container, pod
from tests.builders.policy import policy_object
from tests.builders.resource_claim import resource_claim

NODES = ("worker-0", "worker-1")
NAMES = ("aim-a", "aim-b", "aim-c")
WHEN_FULL: dict[str, dict[str, str]] = {
    "waits": {},
    "releases": {"whenFull": "ReleaseForAutoscaler"},
    "hands over": {"rollout": "Handover"},
}

FAR = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}
        ]
    }
}


def joined_anew(fed: FedCluster) -> tuple[Node, ...]:
    """The nodes by a fleet that knows nothing yet and is told all that there is."""
    cluster = fed.cluster
    fresh = Fleet(cluster)
    cluster.pod_table._touched.update(NODES)
    cluster.pod_table._peers.clear()
    told: Sequence[tuple[Informer[Any], Callable[[StoreEvent[Any]], None]]] = (
        (cluster.pods, fresh.take_pod),
        (cluster.nodes, fresh.take_node),
        (cluster.gpu_nodes, fresh.take_gpu_node),
        (cluster.resource_claims, fresh.take_resource_claim),
        (cluster.claims, fresh.take_claim),
    )
    for informer, take in told:
        for key, obj in informer.store.snapshot().items():
            take(StoreEvent(EventType.ADDED, key, None, obj, initial=True))
    return fresh.nodes().all


PLUGIN = "of the plugin"


class Joining(RuleBasedStateMachine):
    """Everything that can happen to a node, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.fed = FedCluster()
        self.beats = dict.fromkeys(NODES, 0)
        self.sorts: dict[str, str] = {}

    @initialize()
    def begin(self) -> None:
        for name in NODES:
            self.fed.add_node(name, gpu(0), gpu(1))
        self.fed.put(self.fed.cluster.namespaces, {"metadata": {"name": "team-a", "labels": {"tier": "a"}}})

    def put(self, informer: str, obj: dict[str, Any], gone: bool = False) -> None:
        found = getattr(self.fed.cluster, informer)
        self.fed.drop(found, obj) if gone else self.fed.put(found, obj)

    @rule(
        name=st.sampled_from(NAMES),
        node=st.sampled_from([None, *NODES]),
        phase=st.sampled_from(["Pending", "Running", "Succeeded"]),
        sort=st.sampled_from(["gated", "open", "open", PLUGIN]),
        around=st.sampled_from([{}, {"app": "web"}, {"app": "db"}]),
        gone=st.booleans(),
    )
    def a_pod(
        self,
        name: str,
        node: str | None,
        phase: str,
        sort: str,
        gone: bool,
        around: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        if gone and (sort == PLUGIN) != (self.sorts.get(name) == PLUGIN):
            sort = self.sorts.get(name, sort)  # which claim a pod has is settled as it is made: its end shows it, too
        self.sorts[name] = sort
        plugin = sort == PLUGIN
        asked = container(requests={"cpu": "2"}, limits={CPX: "1"} if plugin else None)
        let: dict[str, Any] = {"gates": (), "annotations": OPTED_IN | ASSIGNED} if sort == "open" else {}
        claimed = None if plugin else name
        if around.get("app") == "db":
            let["affinity"] = FAR
        let["metadata"] = {"labels": dict(around)}
        self.put("pods", pod(f"pod-{name}", asked, claim=claimed, node=node, phase=phase, **let), gone)

    @rule(name=st.sampled_from(NAMES), indices=st.sets(st.integers(0, 15), min_size=1, max_size=2), gone=st.booleans())
    def a_pin(self, name: str, indices: set[int], gone: bool) -> None:
        devices = tuple(PinnedDevice("", 128 + index) for index in sorted(indices))
        asked = claim_spec(Pin("worker-0", "worker-0", devices, "cpx_nps4"))
        self.put("resource_claims", resource_claim(name, owner_uid=f"uid-pod-{name}", spec=asked), gone)

    @rule(
        name=st.sampled_from(NAMES),
        place=st.none() | st.tuples(st.sampled_from(NODES), st.integers(0, 1), st.integers(0, 7)),
        phase=st.sampled_from(["Bound", "Allocated", "Released"]),
        gone=st.booleans(),
    )
    def a_claim(self, name: str, place: tuple[str, int, int] | None, phase: str, gone: bool) -> None:
        status = None if place is None else {"phase": phase, "allocation": allocation(*place)}
        self.put("claims", claim(name, pod=f"pod-{name}", status=status), gone)

    @rule(
        node=st.sampled_from([None, *NODES]),
        shares=st.sets(st.sampled_from(NAMES)),
        placed=st.sets(st.sampled_from(NAMES)),
        gone=st.booleans(),
    )
    def a_share_group(self, node: str | None, shares: set[str], placed: set[str], gone: bool) -> None:
        status = None if node is None else {"phase": "Bound", "allocation": allocation(node, 1, 5)}
        made = claim("aim-group-x", status=status)
        made["spec"] = {"shareGroup": "x", "requirement": made["spec"]["requirement"]}
        made["status"]["shares"] = [
            {"pod": {"name": f"share-{name}", "uid": f"uid-share-{name}"}, "bytes": 1 << 30} for name in sorted(shares)
        ]
        self.put("claims", made, gone)
        for name in NAMES:
            where = node if name in placed else None
            asked = container(requests={"cpu": "1"})
            self.put("pods", pod(f"share-{name}", asked, claim="aim-group-x", node=where), gone and name in shares)

    @rule(node=st.sampled_from(NODES), kept=st.sets(st.integers(0, 7), max_size=2), assumed=st.booleans())
    def a_service_keeps(self, node: str, kept: set[int], assumed: bool) -> None:
        places = [{"node": node, "bdf": bdf(0), "partition": index} for index in sorted(kept)]
        if assumed:
            found = tuple(KeptPlace.model_validate(place) for place in places)
            self.fed.cluster.update_places.assume("team-a/chat", found)
            return
        self.fed.cluster.update_places.forget("team-a/chat")
        made = inference_service("chat", status={"applied": {"hash": "h", "generation": 1, "places": places}})
        self.put("services", dump(made))

    @rule(
        name=st.sampled_from([*NAMES, "theirs"]),
        pool=st.sampled_from(NODES),
        devices=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 7)), max_size=2, unique=True),
        admin=st.booleans(),
        gone=st.booleans(),
    )
    def an_allocation(self, name: str, pool: str, devices: Sequence[tuple[int, int]], admin: bool, gone: bool) -> None:
        names = [device_name(*device) for device in devices] or None
        self.put("resource_claims", resource_claim(name, device=names, pool=pool, admin=admin), gone)

    @rule(node=st.sampled_from(NODES), mode=st.sampled_from(["CPX/NPS4", "DPX/NPS1"]), told=st.booleans())
    def an_inventory(self, node: str, mode: str, told: bool) -> None:
        entries = [assigned("pod-aim-a", 3)] if told else None
        self.put("gpu_nodes", gpu_node(node, gpu(0, mode), gpu(1), assigned=entries))

    @rule(node=st.sampled_from(NODES), ready=st.booleans(), pool=st.sampled_from(["", "x"]), gone=st.booleans())
    def a_node(self, node: str, ready: bool, pool: str, gone: bool) -> None:
        counted = {"cpu": "8", "memory": "64Gi", "pods": "110", CPX: "8"}
        self.put("nodes", node_object(node, ready=ready, labels={"pool": pool}, allocatable=counted), gone)

    @rule(
        name=st.sampled_from(["p", "q"]),
        pool=st.sampled_from(["", "x"]),
        binding=st.sampled_from(["DRA", "DevicePlugin"]),
        tier=st.sampled_from(["a", "b"]),
        full=st.sampled_from(list(WHEN_FULL)),
        gone=st.booleans(),
    )
    def a_policy(self, name: str, pool: str, binding: str, tier: str, full: str, gone: bool) -> None:
        said = {"binding": binding, **WHEN_FULL[full]}
        made = policy_object(name, node_labels={"pool": pool}, namespace_labels={"tier": tier}, **said)
        self.put("policies", made, gone)

    @rule(tier=st.sampled_from(["a", "b"]))
    def a_namespace(self, tier: str) -> None:
        self.put("namespaces", {"metadata": {"name": "team-a", "labels": {"tier": tier}}})

    @rule(node=st.sampled_from(NODES), phase=st.sampled_from(["Pending", "Draining", "Succeeded"]), keeps=st.booleans())
    def a_plan(self, node: str, phase: str, keeps: bool) -> None:
        made = plan("plan-1", node, phase=phase, applied_until="2026-01-01T00:00:00Z")
        if keeps:
            made["status"]["reservations"] = [reservation(bdf(1), 2, node=node)]
        self.put("plans", made)

    @rule(node=st.sampled_from(NODES))
    def a_heartbeat(self, node: str) -> None:
        self.beats[node] += 1
        self.put("leases", lease(node, beat=self.beats[node] + 1))

    @rule(seconds=st.sampled_from([1.0, 39.0, 41.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.fed.clock.tick(seconds)

    @rule(name=st.sampled_from(NAMES), node=st.sampled_from(NODES), index=st.integers(0, 7), drop=st.booleans())
    def an_assumption(self, name: str, node: str, index: int, drop: bool) -> None:
        assumptions, where = self.fed.cluster.assumptions, PartitionId(bdf(0), index)
        taken = any(where in each.partitions and each.node == node for each in assumptions)
        if drop or taken:
            assumptions.forget(f"team-a/{name}")
        else:
            assumptions.add(Assumption(f"team-a/{name}", f"uid-team-a/{name}", node, (where,), Resources(1, 2, 1)))

    @rule()
    def compare(self) -> None:
        """Nothing is overlooked, and nothing is joined anew where nothing happened."""
        found = self.fed.cluster.snapshot().nodes
        assert found == joined_anew(self.fed)

    def teardown(self) -> None:
        self.compare()


QUICK = settings(max_examples=80, stateful_step_count=20, deadline=None)


def test_nothing_that_changes_is_overlooked() -> None:
    run_state_machine_as_test(Joining, settings=QUICK)


def begun() -> Joining:
    """Nodes that nothing happened to since."""
    machine = Joining()
    machine.begin()
    machine.a_node("worker-0", ready=True, pool="", gone=False)
    machine.compare()
    return machine


def late_beat(machine: Joining) -> None:
    machine.time_passes(41.0)
    machine.compare()
    machine.a_heartbeat("worker-0")


def pinned_pod(machine: Joining) -> None:
    machine.a_pin("aim-a", {3}, gone=False)
    machine.compare()
    machine.a_pod("aim-a", None, "Pending", "open", gone=False)


TOLD: dict[str, Callable[[Joining], None]] = {
    "take_claim": lambda machine: machine.a_claim("aim-a", ("worker-0", 0, 0), "Bound", gone=False),
    "take_resource_claim": lambda machine: machine.an_allocation("theirs", "worker-0", [(0, 1)], False, gone=False),
    "take_policy": lambda machine: machine.a_policy("p", "", "DRA", "a", "releases", gone=False),
    "take_lease": late_beat,
    "take_pod": pinned_pod,
}
"""By the handler that hears of it, something that happens."""


@pytest.mark.parametrize("deaf", TOLD)
def test_an_event_that_was_overlooked_would_be_noticed(monkeypatch: pytest.MonkeyPatch, deaf: str) -> None:
    heard = getattr(Fleet, deaf)
    monkeypatch.setattr(Fleet, deaf, lambda fleet, event: heard(fleet, event) if event.initial else None)
    machine = begun()
    TOLD[deaf](machine)
    with pytest.raises((AssertionError, KeyError)):
        machine.compare()


@pytest.mark.parametrize("assumed", [False, True])
def test_a_place_that_a_service_keeps_or_gives_up_would_be_missed_if_nobody_counted(
    monkeypatch: pytest.MonkeyPatch, assumed: bool
) -> None:
    machine = begun()
    machine.a_service_keeps("worker-0", {3}, assumed)
    machine.compare()
    places = machine.fed.cluster.update_places
    monkeypatch.setattr(UpdatePlaces, "__setattr__", lambda *_: None)  # its revision stays what it was
    machine.a_service_keeps("worker-0", {4}, assumed)
    assert places.by_node()["worker-0"].keys() == {PartitionId(bdf(0), 4)}
    with pytest.raises(AssertionError):
        machine.compare()


def test_policies_that_differ_in_what_becomes_of_a_full_cluster_are_others() -> None:
    machine, seen = begun(), []
    for full in WHEN_FULL:
        machine.a_policy("p", "", "DRA", "a", full, gone=False)
        policy = machine.fed.cluster.snapshot().nodes[0].policy
        seen.append(policy is not None and (policy.releases, policy.handover))
    assert seen == [(False, False), (True, False), (False, True)]


def test_a_node_that_nothing_happened_to_is_the_same_object() -> None:
    fed = FedCluster()
    for name in NODES:
        fed.add_node(name, gpu(0), gpu(1))
    first, second = fed.cluster.snapshot().nodes
    fed.put(fed.cluster.claims, claim(status={"phase": "Bound", "allocation": allocation("worker-0", 0, 3)}))
    again = fed.cluster.snapshot().nodes
    assert again[1] is second
    assert again[0] is not first
    assert again[0].gpus[1] is first.gpus[1]
    assert again[0].gpus[0].partitions[3].holder is not None


def test_nodes_of_one_make_share_what_nobody_holds() -> None:
    fed = FedCluster()
    for name in NODES:
        fed.add_node(name, gpu(0))
    first, second = fed.cluster.snapshot().nodes
    assert first.gpus[0] is second.gpus[0]
