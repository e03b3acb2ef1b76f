from typing import Any

import pytest

from e2e.run.checks import double_allocations, mismatches, rebinds, repartitions
from e2e.run.world import World
from tests.e2e.run.objects import claim, group_claim, resource_claim

FAULTS = [
    pytest.param({}, 0, id="nothing is no fault"),
    pytest.param(
        {"resource_claims": [resource_claim("aim-1", "gpu-0-128"), resource_claim("aim-2", "gpu-1-129")]},
        0,
        id="two devices of two claims",
    ),
    pytest.param(
        {
            "resource_claims": [
                resource_claim("aim-1", "gpu-0-128"),
                resource_claim("other", "gpu-0-128", namespace="b"),
            ]
        },
        1,
        id="one device of two claims, one of them foreign",
    ),
    pytest.param(
        {"resource_claims": [resource_claim(f"aim-{index}", "gpu-0-128") for index in range(3)]},
        2,
        id="one device of three claims is two too many",
    ),
    pytest.param(
        {
            "resource_claims": [
                resource_claim("aim-1", "gpu-0-128"),
                resource_claim("look", "gpu-0-128", adminAccess=True),
            ]
        },
        0,
        id="adminAccess holds nothing",
    ),
    pytest.param(
        {"resource_claims": [resource_claim("aim-group-1", "gpu-0-128", reserved=("p", "q"))]},
        0,
        id="a share group's claim is for all of its members",
    ),
    pytest.param({"claims": [group_claim("aim-group-1", p=1 << 30, q=1 << 30)]}, 0, id="shares that fit"),
    pytest.param({"claims": [group_claim("aim-group-1", p=1 << 30, q=2 << 30)]}, 1, id="shares of more than there is"),
    pytest.param(
        {"resource_claims": [resource_claim("aim-1", "gpu-0-128", reserved=("pod-1",))]}, 0, id="reserved for one pod"
    ),
    pytest.param(
        {"resource_claims": [resource_claim("aim-1", "gpu-0-128", reserved=("pod-1", "pod-2"))]},
        1,
        id="an exclusive claim reserved twice",
    ),
    pytest.param(
        {"resource_claims": [resource_claim("theirs", "gpu-0-128", reserved=("pod-1", "pod-2"))]},
        0,
        id="others may share their claims",
    ),
    pytest.param({"claims": [claim("aim-1"), claim("aim-2", partition=1)]}, 0, id="two partitions"),
    pytest.param({"claims": [claim("aim-1"), claim("aim-2", phase="Bound")]}, 1, id="two claims on a partition"),
    pytest.param(
        {"claims": [claim("aim-1"), claim("aim-2", phase="Released")]}, 0, id="a released claim holds nothing"
    ),
    pytest.param({"claims": [claim("aim-1"), claim("aim-2", phase="Pending")]}, 0, id="a pending claim holds nothing"),
]


@pytest.mark.parametrize(("objects", "want_faults"), FAULTS)
def test_double_allocations(objects: dict[str, Any], want_faults: int) -> None:
    assert len(double_allocations(World(**objects))) == want_faults


def test_a_fault_names_both_holders() -> None:
    [fault] = double_allocations(World(claims=[claim("aim-2"), claim("aim-1")]))
    assert str(fault) == "partition node-0 0000:05:00.0/0 is held by a/aim-1 and by a/aim-2"


def plugin_claim(*observed: str) -> dict[str, Any]:
    """A claim of the device plugin, allocated, with what the kubelet told."""
    made = claim("aim-1")
    made["status"]["allocation"]["resource"] = {"name": "amd.com/gpu", "mode": "CPX/NPS4", "bytes": 1}
    made["status"]["observed"] = {"devices": [{"pool": "node-0", "device": name} for name in observed]}
    return made


MISMATCHES = [
    pytest.param(claim("aim-1"), [resource_claim("aim-1", "gpu-0-128")], 0, id="both say the same"),
    pytest.param(claim("aim-1"), [resource_claim("aim-1", "gpu-1-129")], 1, id="the scheduler gave another device"),
    pytest.param(claim("aim-1"), [], 1, id="allocated without a ResourceClaim"),
    pytest.param(claim("aim-1", phase="Bound"), [resource_claim("aim-1")], 0, id="bound may wait for the scheduler"),
    pytest.param(
        claim("aim-1", phase="Bound"), [resource_claim("aim-1", "gpu-1-129")], 1, id="bound and given another device"
    ),
    pytest.param(plugin_claim("gpu-0-128"), [], 0, id="with the device plugin the kubelet says the same"),
    pytest.param(plugin_claim("gpu-1-129"), [], 1, id="the kubelet says otherwise"),
    pytest.param(plugin_claim(), [], 1, id="allocated, and the kubelet said nothing"),
]


@pytest.mark.parametrize(("one", "resource_claims", "want"), MISMATCHES)
def test_mismatches(one: dict[str, Any], resource_claims: list[dict[str, Any]], want: int) -> None:
    assert len(mismatches(World(claims=[one], resource_claims=resource_claims))) == want


def test_rebinds_are_summed() -> None:
    assert rebinds(World(claims=[claim("aim-1", rebinds=2), claim("aim-2", rebinds=1), claim("aim-3")])) == 3


def test_only_mode_changes_that_succeeded_count() -> None:
    plans = [{"status": {"phase": phase}} for phase in ("Succeeded", "RolledBack", "Applying", "Succeeded")]
    assert repartitions(World(plans=plans)) == 2
