"""Whose eviction would be refused, as the API server decides it."""

from typing import Any

import pytest

from controller.cli.live_budgets import Budgets, Evictable, budget_of
from controller.gpu.identity import PartitionId
from controller.placement.occupant import Occupant
from controller.repartition.victims import Victims
from tests.builders.cluster import FedCluster
from tests.builders.gpu import GIB, bdf
from tests.builders.pod import pod
from tests.builders.victim import victim
from tests.controller.cli.plan_scenes import disruption_budget

APP = {"app": "chat"}


def occupant(name: str, namespace: str = "team-b") -> Occupant:
    return Occupant(f"{namespace}/aim-{name}", f"uid-{name}", name, namespace, "worker-0", "", 0, 24 * GIB, 0.0)


def budgets(*given: dict[str, Any], **pods: dict[str, Any]) -> Budgets:
    """With these pods of team-b, by name; ready and of the app unless said otherwise."""
    fed = FedCluster()
    for name, said in {"a": {}, "b": {}, **pods}.items():
        fields = {"labels": APP, "phase": "Running", "ready": True, **said}
        stored = pod(name, namespace="team-b", phase=fields["phase"], metadata={"labels": fields["labels"]})
        stored["status"]["conditions"] = [{"type": "Ready", "status": str(fields["ready"])}]
        fed.put(fed.cluster.pods, stored)
    return Budgets(map(budget_of, given), fed.cluster.pod_table)


def test_as_many_go_as_the_budget_allows_one_after_the_other() -> None:
    both = [occupant("a"), occupant("b")]
    assert budgets(disruption_budget("chat", allowed=2)).refused(both) == set()
    assert budgets(disruption_budget("chat", allowed=1)).refused(both) == {"team-b/aim-b"}
    assert budgets(disruption_budget("chat", allowed=0)).refused(both) == {"team-b/aim-a", "team-b/aim-b"}
    assert budgets().refused(both) == set()


def test_the_same_is_told_of_pods() -> None:
    given = budgets(disruption_budget("chat", allowed=1))
    both = [given._pods.view(f"team-b/{name}") for name in "ba"]
    assert given.kept([pod for pod in both if pod is not None]) == {"uid-a"}


HEALTHY, SICK = {"currentHealthy": 2, "desiredHealthy": 2}, {"currentHealthy": 1, "desiredHealthy": 2}


@pytest.mark.parametrize(
    ("said", "spec", "status", "want"),
    [
        pytest.param({"labels": {"app": "other"}}, {}, HEALTHY, False, id="another app's"),
        pytest.param({"phase": "Pending"}, {}, HEALTHY, False, id="it does not run yet"),
        pytest.param({"phase": "Failed"}, {}, HEALTHY, False, id="it has ended"),
        pytest.param({"ready": False}, {}, HEALTHY, False, id="it does not serve, and enough others do"),
        pytest.param({"ready": False}, {}, SICK, True, id="it does not serve, and too few others do"),
        pytest.param(
            {"ready": False}, {"unhealthyPodEvictionPolicy": "AlwaysAllow"}, SICK, False, id="who does not serve may go"
        ),
        pytest.param({}, {"unhealthyPodEvictionPolicy": "AlwaysAllow"}, SICK, True, id="it serves"),
        pytest.param({}, {"selector": None}, HEALTHY, False, id="a budget without a selector is about none"),
        pytest.param({}, {"selector": {}}, HEALTHY, True, id="an empty selector is about all"),
        pytest.param(
            {},
            {"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["chat"]}]}},
            HEALTHY,
            True,
            id="by an expression",
        ),
        pytest.param(
            {}, {"selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}, HEALTHY, True, id="by a key"
        ),
    ],
)
def test_a_budget_that_allows_nothing_keeps(
    said: dict[str, Any], spec: dict[str, Any], status: dict[str, Any], want: bool
) -> None:
    given = disruption_budget("chat", allowed=0, **spec)
    given["status"] |= status
    assert bool(budgets(given, a=said).refused([occupant("a")])) is want


def test_what_a_budget_allowed_before_it_was_changed_does_not_count() -> None:
    given = disruption_budget("chat", allowed=5)
    given["metadata"]["generation"] = 2
    assert budgets(given).refused([occupant("a")]) == {"team-b/aim-a"}


def test_a_pod_of_two_budgets_is_never_evicted() -> None:
    two = disruption_budget("chat", allowed=5), disruption_budget("other", allowed=5, selector={})
    assert budgets(*two).refused([occupant("a")]) == {"team-b/aim-a"}


def test_budgets_of_other_namespaces_and_of_other_pods_by_that_name_do_not_count() -> None:
    given = budgets(disruption_budget("chat", allowed=0))
    assert given.refused([occupant("a", "team-a")]) == set()
    gone = Occupant("team-b/aim-a", "uid-before", "a", "team-b", "worker-0", "", 0, 24 * GIB, 0.0)
    assert given.refused([gone]) == set()


def test_pods_that_a_budget_keeps_are_not_movable() -> None:
    kept = victim("a", namespace="team-b", uid="uid-a", partition=PartitionId(bdf(0), 0))
    free = victim("c", namespace="team-b", uid="uid-c", partition=PartitionId(bdf(0), 1))
    there = Victims({"worker-0": {kept.partition: kept, free.partition: free}})
    movable = Evictable(there, budgets(disruption_budget("chat", allowed=0)).lets_go)
    assert list(movable.on("worker-0").values()) == [free]
    assert movable.lowest_priority == there.lowest_priority
