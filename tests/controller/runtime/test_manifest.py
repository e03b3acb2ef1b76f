"""What machinery asks of an object has one answer, whichever form the object has."""

from collections.abc import Callable
from typing import Any

import pytest

from controller.runtime.manifest import (
    AnyObject,
    Manifest,
    annotations_of,
    generation_of,
    key_of,
    kind_of,
    labels_of,
    owner_references_of,
    uid_of,
    version_of,
)
from controller.runtime.objects.metadata import ObjectMeta, OwnerReference, PartialObject

FULL: Manifest = {
    "kind": "Pod",
    "metadata": {
        "namespace": "a",
        "name": "b",
        "uid": "u",
        "resourceVersion": "7",
        "generation": 3,
        "labels": {"x": "y"},
        "annotations": {"v": "w"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "o", "controller": True}],
    },
}
OWNER = OwnerReference(api_version="v1", kind="Node", name="n", uid="o", controller=True)
TYPED = PartialObject(
    kind="Pod",
    metadata=ObjectMeta(
        namespace="a",
        name="b",
        uid="u",
        resource_version="7",
        generation=3,
        labels={"x": "y"},
        annotations={"v": "w"},
        owner_references=(OWNER,),
    ),
)
BARE: Manifest = {"metadata": {"name": "b"}}
BARE_TYPED = PartialObject(metadata=ObjectMeta(name="b"))


@pytest.mark.parametrize(
    ("ask", "want", "want_bare"),
    [
        pytest.param(key_of, "a/b", "b", id="key"),
        pytest.param(kind_of, "Pod", "", id="kind"),
        pytest.param(uid_of, "u", "", id="uid"),
        pytest.param(version_of, "7", "", id="version"),
        pytest.param(generation_of, 3, 0, id="generation"),
        pytest.param(labels_of, {"x": "y"}, {}, id="labels"),
        pytest.param(annotations_of, {"v": "w"}, {}, id="annotations"),
        pytest.param(owner_references_of, (OWNER,), (), id="owners"),
    ],
)
def test_both_forms_answer_alike(ask: Callable[[AnyObject], Any], want: object, want_bare: object) -> None:
    assert ask(FULL) == ask(TYPED) == want
    assert ask(BARE) == ask(BARE_TYPED) == want_bare


@pytest.mark.parametrize(
    "nameless",
    [
        pytest.param({"metadata": {}}, id="a dict"),
        pytest.param(PartialObject(metadata=ObjectMeta()), id="a struct"),
    ],
)
def test_an_object_without_a_name_has_no_key(nameless: AnyObject) -> None:
    with pytest.raises(KeyError, match="name"):
        key_of(nameless)
