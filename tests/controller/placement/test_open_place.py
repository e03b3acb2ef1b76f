"""For which kind of partition a pod is let go, and what of the scheduler's choice it must not keep."""

from dataclasses import replace
from typing import Any

import pytest

from controller.gpu.mode import Mode
from controller.placement.open_place import Kind, kind_for, unfit
from controller.placement.quota import Quota
from controller.placement.snapshot import Gpu, PolicyView, Reservation, Snapshot
from tests.builders.demand import demand
from tests.builders.gpu import GIB, full, gpu, with_partition
from tests.builders.node import node

ELASTIC = PolicyView("elastic", releases=True)


def kind(*gpus: Gpu, rules: PolicyView | None = ELASTIC, **fields: Any) -> Kind | None:
    return kind_for(Snapshot([node("worker-0", *gpus, policy=rules)]), demand(**fields))


def test_the_smallest_kind_that_would_do_is_asked_for_though_none_is_free() -> None:
    found = kind(full(0, "SPX/NPS1"), full(1, "DPX/NPS1"), full(2, "CPX/NPS4"), gib=40)
    assert found is not None
    assert (found.product, found.mode) == ("MI300X", Mode.parse("DPX/NPS1"))


@pytest.mark.parametrize(
    ("fields", "rules"),
    [
        pytest.param({"gib": 150}, ELASTIC, id="too large for every kind here"),
        pytest.param({}, replace(ELASTIC, releases=False), id="the policy lets nobody go"),
        pytest.param({}, None, id="no policy"),
        pytest.param({}, replace(ELASTIC, namespaces=frozenset({"team-b"})), id="for another namespace"),
        pytest.param({"policy": "other"}, ELASTIC, id="another policy was asked for"),
        pytest.param({"modes": ["SPX/NPS1"]}, ELASTIC, id="in a mode that no GPU is in"),
        pytest.param({"count": 9}, ELASTIC, id="more partitions than a GPU has"),
        pytest.param({}, replace(ELASTIC, quotas={"team-a": Quota(most=GIB)}), id="more than the namespace may have"),
    ],
)
def test_nobody_is_let_go(fields: dict[str, Any], rules: PolicyView | None) -> None:
    assert kind(full(0, "DPX/NPS1"), rules=rules, **fields) is None


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({}, "", id="as it should be"),
        pytest.param({"healthy": False}, "broken", id="unhealthy"),
        pytest.param({"quarantined": True}, "quarantine", id="in quarantine"),
        pytest.param({"reservation": Reservation("uid")}, "kept", id="kept for somebody"),
        pytest.param({"bytes": 1}, "less memory", id="smaller than told"),
    ],
)
def test_what_is_wrong_with_a_partition(changes: dict[str, Any], want: str) -> None:
    whole = with_partition(gpu(0, "DPX/NPS1"), 0, **changes)
    asked = kind(gpu(0, "DPX/NPS1"))
    assert asked is not None
    found = unfit(node("worker-0", whole, policy=ELASTIC), whole, whole.partitions[0], asked, "team-a", None)
    assert (want in found) if want else found == ""


def test_a_gpu_of_another_kind_or_one_that_is_being_changed_is_not_kept() -> None:
    asked = kind(gpu(0, "DPX/NPS1"))
    assert asked is not None
    for whole, want in ((gpu(0, "CPX/NPS4"), "CPX/NPS4"), (gpu(0, "DPX/NPS1", plan="p"), "plan p")):
        on = node("worker-0", whole, policy=ELASTIC)
        assert want in unfit(on, whole, whole.partitions[0], asked, "team-a", None)
    whole = gpu(0, "DPX/NPS1")
    foreign = node("worker-0", whole, policy=replace(ELASTIC, namespaces=frozenset({"team-b"})))
    assert "not for namespace team-a" in unfit(foreign, whole, whole.partitions[0], asked, "team-a", None)
    assert "not under policy gold" in unfit(foreign, whole, whole.partitions[0], asked, "team-b", "gold")
