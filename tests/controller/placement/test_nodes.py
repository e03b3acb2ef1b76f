import pytest

from controller.placement.node import Node, Reservation
from controller.placement.nodes import Nodes
from tests.builders.gpu import OURS, gpu, with_partition
from tests.builders.node import node
from tests.builders.policy import policy_view

MANY = [node(f"worker-{number:03}") for number in range(300)]


def test_nodes_come_by_name_whatever_order_they_went_in() -> None:
    table = Nodes(reversed(MANY))
    assert [each.name for each in table.all] == list(table.names) == [each.name for each in MANY]
    assert table.get("worker-007") is MANY[7]
    assert table.get("nobody") is None


def test_a_changed_table_has_the_new_and_the_one_before_the_old() -> None:
    before = Nodes(MANY)
    fuller, new = node("worker-007", gpu(0, holders={0: OURS})), node("worker-300")
    after = before.changed([fuller, new], ["worker-000", "nobody"])
    assert (before.get("worker-007"), before.get("worker-300"), len(before.all)) == (MANY[7], None, 300)
    assert (after.get("worker-007"), after.get("worker-300"), after.get("worker-000")) == (fuller, new, None)
    assert after.names == (*before.names[1:], "worker-300")


def test_a_change_in_place_keeps_the_names() -> None:
    before = Nodes(MANY)
    assert before.names
    assert before.changed([node("worker-007")]).names is before.names


def test_where_two_tables_differ_is_known_by_the_nodes_themselves() -> None:
    before = Nodes(MANY)
    after = before.changed([node("worker-007"), MANY[8], node("worker-300")], ["worker-000"])
    assert set(before.differing(after)) == {"worker-007", "worker-300", "worker-000"}
    assert set(Nodes(MANY).differing(before)) == set()
    assert before.changed([]) is before


@pytest.mark.parametrize("others", [[], MANY], ids=["alone", "among many"])
def test_sums_over_all_nodes(others: list[Node]) -> None:
    kept = node("a", with_partition(gpu(0, "DPX/NPS1"), 0, reservation=Reservation("rs-1")))
    held = node("b", gpu(0, "DPX/NPS1", holders={1: OURS}))
    table = Nodes([*others, kept, held])
    assert table.kept_for == {"rs-1": {"a"}}
    assert table.with_claim(OURS.name) == ("b",)
    assert table.with_claim("team-a/nobody") == ()
    offer = table.offers[gpu().product]
    assert gpu().mode in offer.modes
    assert offer.largest_bytes == sum(one.bytes for one in gpu(0, "DPX/NPS1").partitions)


def test_one_idle_gpu_is_told_of_each_sort() -> None:
    policy = policy_view()
    some = [gpu(0, "SPX/NPS1"), gpu(1, "SPX/NPS1"), gpu(2, "DPX/NPS1", holders={1: OURS}), gpu(3, "DPX/NPS1")]
    broken = node("c", gpu(0, "CPX/NPS1", unhealthy=[3]), policy=policy)
    table = Nodes([node("a", *some, policy=policy), node("b", gpu(0, "SPX/NPS1"), policy=policy), broken])
    assert sorted(str(each.mode) for _, each in table.idle) == ["DPX/NPS1", "SPX/NPS1"]
