"""Claims as rows of gauges, kept up as the watch shows them."""

from datetime import timedelta
from typing import Any

from controller.state.claim_gauges import ClaimGauges, SizedFor, needed_bytes
from tests.builders.claim import allocation, bound_claim, claim
from tests.builders.cluster import FedCluster
from tests.builders.gpu import GIB
from tests.builders.share_group import NAME, group_claim


class Scene:
    def __init__(self) -> None:
        self.fed = FedCluster()
        cluster = self.fed.cluster
        self.gauges = ClaimGauges(cluster.claim_table)
        cluster.claims.add_handler(self.gauges.take)

    def put(self, *claims: dict[str, Any]) -> None:
        for each in claims:
            self.fed.put(self.fed.cluster.claims, each)

    def drop(self, one: dict[str, Any]) -> None:
        self.fed.drop(self.fed.cluster.claims, one)


def waiting(name: str, reason: str = "", *, age: float | None = None, scene: Scene, **fields: Any) -> dict[str, Any]:
    """A claim that waits, told why where there is a reason, made `age` seconds ago."""
    told = {
        "type": "Bound",
        "status": "False",
        "reason": reason,
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    made = claim(name, status={"phase": "Pending", "conditions": [told] if reason else []}, **fields)
    if age is not None:
        created = scene.fed.clock.now() - timedelta(seconds=age)
        made["metadata"]["creationTimestamp"] = created.isoformat()
    return made


def held(name: str, isolation: str | None, phase: str = "Allocated") -> dict[str, Any]:
    """A claim with a partition and that label."""
    given = allocation() | ({"isolation": isolation} if isolation else {})
    return claim(name, status={"phase": phase, "allocation": given})


def test_claims_are_counted_by_phase_and_phases_without_any_are_told() -> None:
    scene = Scene()
    scene.put(claim("a"), claim("b"), bound_claim("c"), bound_claim("d", phase="Allocated"))
    counted = {"Pending": 2.0, "Bound": 1.0, "Allocated": 1.0, "Released": 0.0}
    assert {phase: count for (phase,), count in scene.gauges.phases()} == counted
    scene.put(bound_claim("a"))
    scene.drop(bound_claim("d", phase="Allocated"))
    counted |= {"Pending": 1.0, "Bound": 2.0, "Allocated": 0.0}
    assert {phase: count for (phase,), count in scene.gauges.phases()} == counted


def test_claims_that_have_a_partition_are_counted_by_isolation() -> None:
    scene = Scene()
    scene.put(
        held("a", "compute"),
        held("b", "compute", "Bound"),
        held("c", "cu-mask"),
        held("d", "compute", "Released"),
        held("e", None),
        claim("f"),
    )
    counted = {label: count for (label,), count in scene.gauges.isolation()}
    assert counted == {"whole-gpu": 0, "compute+bandwidth": 0, "compute": 2, "cu-mask": 1, "cooperative": 0}


def test_claims_that_wait_are_counted_by_namespace_and_reason_until_they_wait_no_more() -> None:
    scene = Scene()
    scene.put(
        waiting("a", "NoPartition", scene=scene),
        waiting("b", "NoPartition", scene=scene),
        waiting("c", "NoPartition", scene=scene, namespace="team-b"),
        waiting("d", scene=scene),
    )
    assert scene.gauges.pending() == [
        (("team-a", "NoPartition"), 2.0),
        (("team-a", "Undecided"), 1.0),
        (("team-b", "NoPartition"), 1.0),
    ]
    scene.put(bound_claim("a"), waiting("d", "QuotaExceeded", scene=scene))
    scene.drop(waiting("c", "NoPartition", scene=scene, namespace="team-b"))
    assert scene.gauges.pending() == [(("team-a", "NoPartition"), 1.0), (("team-a", "QuotaExceeded"), 1.0)]


def test_namespaces_beyond_the_bound_are_told_together() -> None:
    fed = FedCluster()
    gauges = ClaimGauges(fed.cluster.claim_table, most=2)
    fed.cluster.claims.add_handler(gauges.take)
    for letter in "fecbda":
        fed.put(fed.cluster.claims, claim("a", namespace=f"team-{letter}"))
    told = [(("other", "Undecided"), 4.0), (("team-a", "Undecided"), 1.0), (("team-b", "Undecided"), 1.0)]
    assert gauges.pending() == told


def test_the_oldest_of_each_namespace_and_reason_tells_its_age() -> None:
    scene = Scene()
    scene.put(
        waiting("a", "NoPartition", scene=scene, age=20),
        waiting("b", "NoPartition", scene=scene, age=50),
        waiting("c", "QuotaExceeded", scene=scene, age=7),
        waiting("d", "QuotaExceeded", scene=scene),
    )
    now = scene.fed.clock.now()
    oldest, other = ("team-a", "NoPartition"), ("team-a", "QuotaExceeded")
    assert scene.gauges.oldest(now) == [(oldest, 50.0), (other, 7.0)]
    assert scene.gauges.oldest(now - timedelta(seconds=10)) == [(oldest, 40.0), (other, 0.0)]


def test_a_claim_waits_since_it_is_not_allocated_and_not_since_it_was_made() -> None:
    scene = Scene()
    flipped = scene.fed.clock.now() - timedelta(seconds=30)
    for name, namespace, told in (("a", "team-a", "False"), ("b", "team-b", "Unknown")):
        made = waiting(name, "DividingFirst", scene=scene, age=7200, namespace=namespace)
        (bound,) = made["status"]["conditions"]
        made["status"]["conditions"].append(
            bound | {"type": "Allocated", "status": told, "lastTransitionTime": flipped.isoformat()}
        )
        scene.put(made)
    ages = [(("team-a", "DividingFirst"), 30.0), (("team-b", "DividingFirst"), 30.0)]
    assert scene.gauges.oldest(scene.fed.clock.now()) == ages


def test_models_of_claims_with_a_partition_are_told_with_what_they_were_sized_at() -> None:
    scene = Scene()
    for name, phase in (("a", "Bound"), ("b", "Allocated"), ("c", "Released")):
        made = bound_claim(name, phase=phase, memory="20Gi")
        made["spec"]["model"] = {"id": "acme/chat", "profileRef": "chat"}
        scene.put(made)
    assert dict(scene.gauges.sized) == {SizedFor("acme/chat", "chat", 20 * GIB): 2}


def test_a_share_group_needs_what_its_members_have_and_a_claim_that_is_not_sized_nobody_knows() -> None:
    scene = Scene()
    table = scene.fed.cluster.claim_table
    scene.put(group_claim("a", "b"), claim("unsized", memory=None), claim("sized", memory="3Gi"))
    needs = {key.partition("/")[2]: needed_bytes(one) for key, one in table.items()}
    assert needs == {NAME: 2 * GIB, "unsized": None, "sized": 3 * GIB}
