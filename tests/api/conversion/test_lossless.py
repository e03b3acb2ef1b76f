"""Nothing is lost either way, whatever the schema lets through, with edits in between.

The long search of the same promises is ``python -m tests.fuzz``.
"""

import pytest

from api.conversion.convert import MAPPINGS
from api.conversion.nested import ABSENT
from tests.builders.schema_strategy import objects, seeded, values
from tests.builders.versions import flat_service, hub_service
from tests.fuzz.__main__ import report
from tests.fuzz.lossless import edit_wins, hub_is_kept
from tests.fuzz.search import KINDS, Start, Tally, search

COUNT = 500
MOST_SEARCHES = 6


@pytest.mark.parametrize("start", list(Start))
@pytest.mark.parametrize("kind", KINDS)
def test_drawn_objects_come_back_as_they_were(kind: str, start: Start) -> None:
    # What a seed draws depends on the code that is imported, whose constants are drawn as well: what 500 objects
    # left out, 500 others must have.
    unseen: set[str] | None = None
    for number in range(1, MOST_SEARCHES + 1):
        tally = search(kind, start, COUNT, number)
        assert tally.objects >= COUNT
        left_out = {name for table in (tally.leaves, tally.edits) for name, count in table.items() if not count}
        unseen = left_out if unseen is None else unseen & left_out
        if not unseen:
            break
    assert unseen == set()


def test_an_edit_is_told_from_a_field_that_only_stands_there() -> None:
    hub = hub_service(gpuSharing={"partition": {"minMemory": "24576Mi"}}, replicas=2)
    mapping = MAPPINGS["InferenceService"]
    assert edit_wins(mapping, hub, {"memoryGB": "25", "minInstances": 2, "shareGroup": ABSENT}) == {"memoryGB"}
    assert edit_wins(mapping, hub, {"minInstances": 900, "maxInstances": 3}) == {"minInstances", "maxInstances"}


def test_a_loss_would_be_noticed() -> None:
    mapping = MAPPINGS["InferenceService"]
    spoke = hub_is_kept(mapping, hub_service(qos={"slo": []}))
    assert spoke["spec"] == flat_service()["spec"] | {
        "precision": "auto",
        "partitionCount": 1,
        "isolation": "hardware",
        "minInstances": 1,
    }


def test_too_few_uses_of_a_leaf_fail_the_long_search(capsys: pytest.CaptureFixture[str]) -> None:
    assert report("all", Tally({"a": 101}, {"b": 100}, 10_000), 10_000)
    assert not report("few", Tally({"a": 99}, {"b": 100}, 10_000), 10_000)
    assert "least: a 99, wanted 100: too few" in capsys.readouterr().out
    assert report("short", Tally({"a": 0}, {"b": 2}, 200), 200)
    assert not report("stopped", Tally({"a": 300}, {"b": 300}, 199), 200)


def test_a_seed_draws_the_same_objects() -> None:
    drawn = [seeded(objects("GPUSharingPolicy", "v1alpha1"), 20, number) for number in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_node_that_nobody_can_draw_is_said() -> None:
    with pytest.raises(AssertionError, match="no strategy"):
        values({"type": "number"})
