from typing import Any

from api.v1beta1 import GPUPartitionClaim, GPUSharingPolicy
from controller.reconcilers.gpu_sharing_policy.governed import Governed, governed
from tests.builders.claim import bound_claim, claim
from tests.builders.gpu import gpu
from tests.builders.policy import policy_object

SIZE = gpu().partitions[0].bytes
FAST, SLOW = {"pool": "fast"}, {"pool": "slow"}


def policy(name: str, day: int = 1, **fields: Any) -> GPUSharingPolicy:
    """A policy made on that day of the month."""
    return GPUSharingPolicy.model_validate(policy_object(name, created=f"2026-01-{day:02}T00:00:00Z", **fields))


def held(name: str, node: str, phase: str = "Allocated") -> GPUPartitionClaim:
    return GPUPartitionClaim.model_validate(bound_claim(name, node, phase=phase))


def test_each_policy_governs_the_nodes_that_it_selects_and_the_claims_there() -> None:
    found = governed(
        [policy("fast", node_labels=FAST), policy("slow", node_labels=SLOW)],
        {"a": FAST, "b": FAST, "c": SLOW, "d": {}},
        [held("x", "a"), held("y", "b", "Bound"), held("z", "d")],
    )
    assert found == {"fast": Governed(2, 2, 2 * SIZE), "slow": Governed(1, 0, 0)}


def test_of_two_the_older_governs_and_the_younger_is_told() -> None:
    found = governed([policy("young", 2), policy("old", 1, node_labels=FAST)], {"a": FAST, "b": SLOW}, [held("x", "a")])
    assert found["old"] == Governed(1, 1, SIZE)
    assert found["young"] == Governed(1, 0, 0, {"a": "old"})


def test_claims_that_hold_nothing_do_not_count() -> None:
    pending = GPUPartitionClaim.model_validate(claim())
    found = governed([policy("all")], {"worker-0": {}}, [pending, held("done", "worker-0", "Released")])
    assert found["all"] == Governed(1, 0, 0)


def test_claims_on_nodes_that_are_not_managed_belong_to_no_policy() -> None:
    assert governed([policy("all")], {}, [held("x", "a")]) == {"all": Governed()}
