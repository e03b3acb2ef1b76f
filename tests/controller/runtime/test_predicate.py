"""Predicates, over dicts and structs alike."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from controller.runtime.cache.store import EventType, StoreEvent
from controller.runtime.manifest import Manifest
from controller.runtime.objects.pod import Pod
from controller.runtime.predicate import (
    Predicate,
    all_of,
    annotations_changed,
    any_of,
    generation_changed,
    labels_changed,
    negated,
    resource_version_changed,
)

BEFORE: Manifest = {
    "metadata": {"name": "a", "resourceVersion": "1", "generation": 1, "labels": {"a": "1"}, "annotations": {"b": "1"}}
}


def typed(obj: Manifest) -> Any:
    return msgspec.convert(obj, Pod)


def untyped(obj: Manifest) -> Any:
    return obj


def with_metadata(**fields: object) -> Manifest:
    return {"metadata": {**BEFORE["metadata"], **fields}}


CHANGES = [
    pytest.param({"resourceVersion": "2"}, resource_version_changed, id="a status write is a new version"),
    pytest.param({"resourceVersion": "2", "generation": 2}, generation_changed, id="a spec write is a new generation"),
    pytest.param({"labels": {"a": "2"}}, labels_changed, id="a label got another value"),
    pytest.param({"labels": None}, labels_changed, id="all labels went"),
    pytest.param({"annotations": {"b": "1", "c": "1"}}, annotations_changed, id="an annotation came"),
]


@pytest.mark.parametrize("form", [untyped, typed])
@pytest.mark.parametrize(("fields", "passes"), CHANGES)
def test_an_update_passes_what_it_changed(
    form: Callable[[Manifest], Any], fields: dict[str, object], passes: Predicate
) -> None:
    fields = {name: value for name, value in with_metadata(**fields)["metadata"].items() if value is not None}
    event = StoreEvent(EventType.MODIFIED, "a", form(BEFORE), form({"metadata": fields}))
    same = StoreEvent(EventType.MODIFIED, "a", form(BEFORE), form(BEFORE))
    assert passes(event)
    assert not passes(same)
    others = {labels_changed, annotations_changed, generation_changed} - {passes}
    assert not any(other(event) for other in others)


@pytest.mark.parametrize(
    "predicate", [resource_version_changed, generation_changed, labels_changed, annotations_changed]
)
def test_creations_and_deletions_always_pass(predicate: Predicate) -> None:
    assert predicate(StoreEvent(EventType.ADDED, "a", None, BEFORE))
    assert predicate(StoreEvent(EventType.DELETED, "a", BEFORE, None))


def yes(_event: StoreEvent[Any]) -> bool:
    return True


def no(_event: StoreEvent[Any]) -> bool:
    return False


@pytest.mark.parametrize(
    ("predicate", "want"),
    [
        pytest.param(any_of(no, yes), True, id="one of several"),
        pytest.param(any_of(no, no), False, id="none of several"),
        pytest.param(any_of(), False, id="any of none"),
        pytest.param(all_of(yes, yes), True, id="all of several"),
        pytest.param(all_of(yes, no), False, id="not all"),
        pytest.param(all_of(), True, id="all of none"),
        pytest.param(negated(yes), False, id="not yes"),
        pytest.param(negated(any_of(no, all_of(yes, no))), True, id="nested"),
    ],
)
def test_combinations(predicate: Predicate, want: bool) -> None:
    assert predicate(StoreEvent(EventType.ADDED, "a", None, BEFORE)) is want
