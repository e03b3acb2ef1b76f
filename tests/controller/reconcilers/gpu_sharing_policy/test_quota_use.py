from api.v1beta1 import GPUSharingPolicy
from controller.reconcilers.gpu_sharing_policy.quota_use import quota_use
from tests.builders.occupant import occupant
from tests.builders.policy import policy_object

GIB = 1 << 30


def policy(*quotas: dict[str, str]) -> GPUSharingPolicy:
    return GPUSharingPolicy.model_validate(policy_object(quotas=list(quotas)))


def test_a_row_a_quota_by_namespace_with_what_is_used_and_what_of_that_is_borrowed() -> None:
    ruled = policy({"namespace": "team-b", "min": "30Gi"}, {"namespace": "team-a", "max": "100Gi"})
    held = [
        occupant("one", bytes=20 * GIB, created_seconds=1.0),
        occupant("two", bytes=20 * GIB, created_seconds=2.0),
        occupant("elsewhere", bytes=GIB, policy="another"),
        occupant("unbounded", namespace="team-c", bytes=GIB),
    ]
    rows = [(row.namespace, row.used_bytes, row.borrowed_bytes) for row in quota_use(ruled, held)]
    assert rows == [("team-a", 0, 0), ("team-b", 40 * GIB, 20 * GIB)]


def test_without_quotas_nothing_is_listed() -> None:
    assert quota_use(policy(), [occupant()]) == []
