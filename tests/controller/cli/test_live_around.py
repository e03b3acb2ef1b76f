"""What commands take for granted about moves under way is what the operator decides by."""

from typing import Any

import pytest

from controller.cli.explain_claim import asked_of
from controller.cli.live_around import around_of
from controller.cli.live_cluster import Live
from controller.placement.snapshot import Snapshot
from controller.reconcilers.repartition_plan.reservations import unavailable_pods
from tests.builders.claim import allocation, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import bdf, gpu
from tests.builders.plan import plan, reservation
from tests.builders.pod import pod
from tests.controller.cli.explain_scenes import SIZING, cluster_of

EVICTED, AFTERWARDS = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"


OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7f", "uid": "rs-1", "controller": True}


def moving(wanted: int | None) -> FedCluster:
    """A pod was moved, and one of its ReplicaSet's has come since; `wanted` None: nobody may list ReplicaSets."""
    whole = gpu(0, "SPX/NPS1")
    fed = cluster_of(whole, gpu(1, "SPX/NPS1"), repartition={"enabled": True})
    made = plan("p", phase="Draining", numbers=(1,))
    known: dict[str, Any] = {"pod": "web-7f-old", "claim": "aim-old", "evictedTime": EVICTED, "templateHash": "7f"}
    made["status"]["reservations"] = [reservation(bdf(1), **known)]
    fed.put(fed.cluster.plans, made)
    own = {"creationTimestamp": AFTERWARDS, "labels": {"pod-template-hash": "7f"}, "ownerReferences": [OWNER]}
    came = pod("web-7f-new", claim="aim-new", gates=(), node="worker-0", phase="Running", metadata=own)
    came["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    fed.put(fed.cluster.pods, came)
    status = {"phase": "Allocated", "allocation": allocation("worker-0", 0, 0, of=whole)}
    fed.put(fed.cluster.claims, claim("aim-new", pod="web-7f-new", status=status))
    if wanted is not None:
        replica_set = {"metadata": {"name": "web-7f", "namespace": "team-a", "uid": "rs-1"}}
        fed.listed(fed.cluster.replica_sets, replica_set | {"spec": {"replicas": wanted}})
    return fed


@pytest.mark.parametrize(
    ("wanted", "down"),
    [
        pytest.param(1, 0, id="all that is wanted serves again"),
        pytest.param(2, 1, id="what came was wanted besides"),
        pytest.param(None, 0, id="a later pod counts where ReplicaSets may not be listed"),
    ],
)
def test_pods_that_are_down_are_counted_as_the_operator_counts_them(wanted: int | None, down: int) -> None:
    cluster = moving(wanted).cluster
    around = around_of(Live(cluster, SIZING), ())
    assert unavailable_pods(cluster, cluster.plan_table.values()) == down
    assert around.changes.standing(Snapshot(cluster.snapshot().nodes)).unavailable_pods == down
    assert [each.refused for each in around.occupants] == [down >= 1], "one may be down at once"


@pytest.mark.parametrize(("number", "newest"), [("2", True), ("1", False)])
def test_what_a_pod_asks_has_its_revision(number: str, newest: bool) -> None:
    """Places that an update keeps are the newest revision's alone."""
    fed = cluster_of(gpu(0))
    fed.put(fed.cluster.pods, pod("web-7f-a", claim="aim-a", metadata={"ownerReferences": [OWNER]}))
    fed.put(fed.cluster.claims, claim("aim-a", memory="10Gi", pod="web-7f-a"))
    above = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d-1", "controller": True}]
    sets = [
        {
            "metadata": {
                "name": name,
                "namespace": "team-a",
                "uid": uid,
                "ownerReferences": above,
                "annotations": {"deployment.kubernetes.io/revision": revision},
            }
        }
        for name, uid, revision in (("web-7f", "rs-1", number), ("web-8a", "rs-2", str(3 - int(number))))
    ]
    fed.listed(fed.cluster.replica_sets, *sets)
    asked = asked_of(Live(fed.cluster, SIZING), "team-a/aim-a")
    assert asked is not None
    assert (asked.demand.newest, asked.demand.revision, asked.demand.family) == (newest, int(number), "d-1")
