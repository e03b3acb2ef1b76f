import pytest

from controller.placement import filters
from controller.reconcilers.gpu_partition_claim.wakeups import HELPED_BY, Change, helped


@pytest.mark.parametrize(
    ("reasons", "change", "want"),
    [
        pytest.param(["NoFreePartition", "PartitionHeld"], Change.FREED, True, id="a partition is given up"),
        pytest.param(["NoFreePartition", "PartitionHeld"], Change.AGENT, False, id="an agent says nothing of holders"),
        pytest.param(["NoPartitionFits", "PartitionTooSmall"], Change.FREED, False, id="a small one is given up"),
        pytest.param(["NoPartitionFits", "PartitionTooSmall"], Change.INVENTORY, True, id="other partitions appear"),
        pytest.param(["NodeCordoned", "NodeResourcesShort"], Change.POD_LEFT, True, id="one reason of two is enough"),
        pytest.param(["StaleInventory"], Change.AGENT, True, id="an agent is heard of"),
        pytest.param(
            ["NoFreePartition", "PartitionHeld", "NoIdleGPU"], Change.PLAN, True, id="a reason not in the table"
        ),
        pytest.param(["NoFreePartition", ""], Change.FREED, False, id="a summary alone is no reason"),
        pytest.param(["CountUnsupported"], Change.TIME, True, id="time passes for all"),
    ],
)
def test_who_is_asked_again(reasons: list[str], change: Change, want: bool) -> None:
    assert helped(reasons, {change}) is want


def test_every_check_of_the_table_is_one_that_exists() -> None:
    checks = {reason for reason, _ in (*filters.NODE_FILTERS, *filters.PARTITION_FILTERS)}
    others = {"NoFreePartition", "NoPartitionFits", "CountUnsupported", "NoManagedNodes", "ModeUnavailable"}
    others |= {
        "TooLargeForAnyGPU",
        "PolicyNotFound",
        "PolicyNotForNamespace",
        "QoSClassNotFound",
        "RepartitionDisabled",
        "ReadOnlyBackend",
    }
    others |= {"NotAdvertised", "TooFewTogether", "PrecisionUnsupported", "NobodyToPreempt"}
    assert set(HELPED_BY) <= checks | others
