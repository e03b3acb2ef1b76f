"""Whatever stands on a Node: what we want is there after one patch, what others wrote stays, and nothing of ours is left."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from controller.translate.node_labels import WRITTEN_ANNOTATION, LabelChange, label_change

KEYS = st.sampled_from([f"example.com/k{number}" for number in range(6)])
LABELS = st.dictionaries(KEYS, st.sampled_from(["a", "b"]))


def patched(
    labels: Mapping[str, str], annotations: Mapping[str, str], change: LabelChange | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations after the merge patch."""
    if change is None:
        return dict(labels), dict(annotations)
    merged = {**labels, **change.labels}
    kept = {key: value for key, value in merged.items() if value is not None}
    return kept, {} if change.written is None else {WRITTEN_ANNOTATION: change.written}


@given(others=LABELS, first=LABELS, second=LABELS)
def test_one_patch_brings_about_what_is_wanted_and_a_second_is_not_needed(
    others: dict[str, str], first: dict[str, str], second: dict[str, str]
) -> None:
    labels, annotations = patched(others, {}, label_change(first, others, {}))
    labels, annotations = patched(labels, annotations, label_change(second, labels, annotations))
    assert second.items() <= labels.items()
    assert label_change(second, labels, annotations) is None


@given(others=LABELS, first=LABELS, second=LABELS)
def test_taking_everything_back_leaves_what_we_never_wrote(
    others: dict[str, str], first: dict[str, str], second: dict[str, str]
) -> None:
    labels, annotations = dict(others), dict[str, str]()
    for wanted in (first, second, {}):
        labels, annotations = patched(labels, annotations, label_change(wanted, labels, annotations))
    untouched = {
        key: value
        for key, value in others.items()
        if first.get(key, value) == value and second.get(key, value) == value
    }
    assert untouched.items() <= labels.items()
    assert labels.items() <= others.items()
    assert annotations == {}
