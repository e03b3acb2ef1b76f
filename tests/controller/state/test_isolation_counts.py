from api.v1beta1 import GPUPartitionClaim
from controller.state.isolation_counts import isolation_counts
from tests.builders.claim import allocation, claim


def held(isolation: str | None, phase: str = "Allocated") -> GPUPartitionClaim:
    """A claim with a partition and that label."""
    given = allocation() | ({"isolation": isolation} if isolation else {})
    return GPUPartitionClaim.model_validate(claim(status={"phase": phase, "allocation": given}))


def test_claims_that_have_a_partition_are_counted_by_isolation() -> None:
    waiting = GPUPartitionClaim.model_validate(claim())
    claims = [
        held("compute"),
        held("compute", "Bound"),
        held("cu-mask"),
        held("compute", "Released"),
        held(None),
        waiting,
    ]
    counted = {row["isolation"]: count for count, row in isolation_counts(claims)}
    assert counted == {"whole-gpu": 0, "compute+bandwidth": 0, "compute": 2, "cu-mask": 1, "cooperative": 0}
