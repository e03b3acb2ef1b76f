from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.placement.decision import Placed, Refusal, Unplaced
from controller.placement.explanation import MOST_BYTES, Explanation, place_document, place_text, within_bytes
from controller.placement.nearest import nearest
from controller.placement.quota import Quota
from controller.placement.scheduler import ModelScheduler
from controller.placement.snapshot import Holder, Node, PolicyView, Snapshot
from tests.builders.demand import demand
from tests.builders.gpu import OURS, full, gpu
from tests.builders.node import node
from tests.builders.waiting import Case, cases


def explained(*nodes: Node, **asked: float) -> Explanation:
    snapshot, wanted = Snapshot(nodes), demand(**asked)  # type: ignore[arg-type]
    decision = ModelScheduler().schedule(snapshot, wanted)
    assert isinstance(decision, Unplaced)
    return Explanation(wanted, decision, nearest(snapshot, wanted))


def test_what_would_help_stands_before_the_details() -> None:
    lines = explained(node("worker-0", full(), unschedulable=True), node("worker-1", unschedulable=True)).lines()
    assert lines[0] == "NoPartitionFits: none of 16 partitions takes 16.0 GiB"
    assert lines[1].startswith("Nearest change: kubectl uncordon worker-1 (an administrator of the cluster); it would")
    assert lines[2:] == ["Refused:", "- 16 NodeCordoned, e.g. node worker-0 is cordoned; kubectl uncordon worker-0"]


def test_reasons_come_with_count_and_one_example_the_commonest_first() -> None:
    text = explained(node("worker-0", gpu(0, "DPX/NPS1"), full(1)), gib=150).text()
    assert "- 10 PartitionTooSmall, e.g. worker-0 0000:01:00.0/0 has 96.0 GiB, needed 150.0 GiB" in text


def test_a_sentence_that_the_first_line_tells_is_not_told_again() -> None:
    policy = PolicyView(name="p", quotas={"team-a": Quota(most=0)})
    lines = explained(node("worker-0", gpu(0, "SPX/NPS1"), policy=policy), node("worker-1", policy=policy)).lines()
    told = "namespace team-a uses 0.0 GiB of max 0.0 GiB on the nodes of policy p, and 24.0 GiB on worker-1 would"
    assert lines[0].startswith(f"QuotaExceeded: {told} exceed it by 24.0 GiB; end a model")
    assert lines[-1] == "- 9 QuotaExceeded"


def test_a_long_example_is_cut_after_a_whole_word() -> None:
    row = Refusal("X", 1, "seven-c " * 40)
    text = Explanation(demand(), Unplaced("NoPartitionFits", "y", (row,))).text()
    assert text.endswith(" seven-c...")


def test_that_nothing_helps_is_said() -> None:
    assert "Nearest change: none; no single change would place it" in explained(node("worker-0", full())).lines()


def test_that_nobody_has_looked_is_not_said_to_be_nothing() -> None:
    assert "Nearest change" not in Explanation(demand(), Unplaced("X", "y"), searched=False).text()


def test_a_reason_that_lists_no_partitions_is_told_in_its_own_words() -> None:
    assert explained(gib=1).text().startswith("NoManagedNodes: no GPU node has reported an inventory yet")


def test_programs_get_the_change_and_the_place() -> None:
    (change,) = explained(node(unschedulable=True)).document()["changes"]
    assert (change["kind"], change["actor"], change["permitted"]) == (
        "Uncordon",
        "an administrator of the cluster",
        True,
    )
    assert change["place"]["node"] == "worker-0"


@given(st.text(max_size=6000), st.integers(8, 4096))
def test_a_cut_text_is_short_enough_and_its_beginning(text: str, most: int) -> None:
    cut = within_bytes(text, most)
    assert len(cut.encode()) <= most
    assert text.startswith(cut.removesuffix("...")) or cut == text


@pytest.mark.parametrize("word", ["x", "é", "模"], ids=["ascii", "two bytes", "three bytes"])
def test_an_explanation_takes_4_kib_at_most_whatever_stands_in_it(word: str) -> None:
    rows = tuple(Refusal(f"Reason{n}", n, word * 5000) for n in range(50))
    assert len(Explanation(demand(), Unplaced("NoPartitionFits", word * 9000, rows)).text().encode()) <= MOST_BYTES
    assert len(Explanation(demand(), Unplaced("Another", word * 9000, rows)).text().encode()) <= MOST_BYTES


@settings(deadline=None, max_examples=40)
@given(cases())
def test_nobody_elses_name_is_in_an_explanation(case: Case) -> None:
    snapshot = Snapshot(case.nodes)
    decision = ModelScheduler().schedule(snapshot, case.demand)
    if isinstance(decision, Unplaced):
        text = Explanation(case.demand, decision, nearest(snapshot, case.demand, case.around)).text()
        assert len(text.encode()) <= MOST_BYTES
        assert not any(name in text for name in holders(case))


def holders(case: Case) -> set[str]:
    every = (part.holder for host in case.nodes for card in host.gpus for part in card.partitions)
    return {word for held in every if isinstance(held, Holder) for word in (held.name, held.name.partition("/")[2])}


def test_a_place_of_several_partitions_tells_what_lies_between_them() -> None:
    gpus = [replace(gpu(number, holders=dict.fromkeys(range(1, 8), OURS)), hive=0) for number in (0, 1)]
    placed = ModelScheduler().schedule(Snapshot([node("worker-0", *gpus)]), demand(gib=16, count=2))
    assert isinstance(placed, Placed)
    assert place_text(placed).endswith("(CPX/NPS4, 24.0 GiB, on 2 GPUs that xGMI links)")
    assert place_document(placed)["locality"] == "xgmi"
    assert place_document(Placed.on(placed.node, placed.gpu, placed.partition))["locality"] is None
