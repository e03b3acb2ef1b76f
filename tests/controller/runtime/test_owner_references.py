"""Owner references: what may own what, one controller, others' references untouched."""

from typing import Any

import pytest

from controller.runtime.manifest import Manifest
from controller.runtime.objects.metadata import ObjectMeta, OwnerReference, PartialObject
from controller.runtime.owner_references import (
    AlreadyControlled,
    OwnershipRefused,
    controlled_by,
    controller_of,
    is_controlled_by,
    owned_by,
)


def obj(kind: str, name: str, namespace: str | None = "ns", *owners: dict[str, Any]) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "uid": f"uid-{name}"}
    if namespace:
        metadata["namespace"] = namespace
    if owners:
        metadata["ownerReferences"] = list(owners)
    return {"apiVersion": "example.com/v1", "kind": kind, "metadata": metadata}


def reference(name: str, **role: bool) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Owner", "name": name, "uid": f"uid-{name}", **role}


CONTROLS = {"controller": True, "blockOwnerDeletion": True}


@pytest.mark.parametrize(
    ("before", "want"),
    [
        pytest.param([], [reference("o", **CONTROLS)], id="the first owner"),
        pytest.param([reference("x")], [reference("x"), reference("o", **CONTROLS)], id="others stay"),
        pytest.param([reference("o", **CONTROLS)], [reference("o", **CONTROLS)], id="again: nothing changes"),
        pytest.param([reference("o"), reference("x")], [reference("o", **CONTROLS), reference("x")], id="promoted"),
    ],
)
def test_controlled_by(before: list[dict[str, Any]], want: list[dict[str, Any]]) -> None:
    child = obj("Child", "c", "ns", *before)
    assert controlled_by(child, obj("Owner", "o")) == want
    assert child["metadata"].get("ownerReferences", []) == before, "what was given is not changed"


def test_a_second_controller_is_refused() -> None:
    child = obj("Child", "c", "ns", reference("first", **CONTROLS))
    with pytest.raises(AlreadyControlled, match="Child 'c': Owner 'first' controls it already") as raised:
        controlled_by(child, obj("Owner", "second"))
    assert raised.value.controller.uid == "uid-first"


def test_the_same_name_made_anew_is_another_controller() -> None:
    child = obj("Child", "c", "ns", reference("o", **CONTROLS))
    anew = obj("Owner", "o")
    anew["metadata"]["uid"] = "another"
    with pytest.raises(AlreadyControlled):
        controlled_by(child, anew)
    assert not is_controlled_by(child, anew)


@pytest.mark.parametrize(
    ("namespace", "owner_namespace", "want"),
    [
        pytest.param("ns", "ns", None, id="one namespace"),
        pytest.param("ns", None, None, id="a cluster-scoped owner of a namespaced object"),
        pytest.param(None, None, None, id="both cluster-scoped"),
        pytest.param("ns", "other", "put both into one namespace", id="across namespaces"),
        pytest.param(None, "ns", "give an owner of cluster scope", id="a namespaced owner of a cluster-scoped object"),
    ],
)
@pytest.mark.parametrize("make", [controlled_by, owned_by])
def test_scopes(make: Any, namespace: str | None, owner_namespace: str | None, want: str | None) -> None:
    child, owner = obj("Child", "c", namespace), obj("Owner", "o", owner_namespace)
    if want is None:
        assert [found["uid"] for found in make(child, owner)] == ["uid-o"]
    else:
        with pytest.raises(OwnershipRefused, match=want):
            make(child, owner)


@pytest.mark.parametrize("missing", ["apiVersion", "kind", "uid"])
def test_an_owner_that_was_not_read_is_refused(missing: str) -> None:
    owner = obj("Owner", "o")
    owner.pop(missing, None)
    owner["metadata"].pop(missing, None)
    with pytest.raises(OwnershipRefused, match="give the owner as read from the API"):
        controlled_by(obj("Child", "c"), owner)


def test_owned_by_controls_nothing_and_keeps_a_controller() -> None:
    child = obj("Child", "c", "ns", reference("first", **CONTROLS))
    assert owned_by(child, obj("Owner", "o")) == [reference("first", **CONTROLS), reference("o")]
    assert owned_by(child, obj("Owner", "first")) == [reference("first", **CONTROLS)]


def test_controller_of() -> None:
    child = obj("Child", "c", "ns", reference("x"), reference("o", **CONTROLS))
    found = controller_of(child)
    assert found is not None
    assert (found.kind, found.name, found.uid) == ("Owner", "o", "uid-o")
    assert is_controlled_by(child, obj("Owner", "o"))
    assert controller_of(obj("Child", "c", "ns", reference("x"))) is None
    assert controller_of(obj("Child", "c")) is None


def test_structs_are_read_as_dicts_are() -> None:
    owner = PartialObject(
        api_version="example.com/v1", kind="Owner", metadata=ObjectMeta(name="o", namespace="ns", uid="uid-o")
    )
    assert controlled_by(obj("Child", "c"), owner) == [reference("o", **CONTROLS)]
    controller = OwnerReference(api_version="example.com/v1", kind="Owner", name="o", uid="uid-o", controller=True)
    child = PartialObject(metadata=ObjectMeta(name="c", namespace="ns", owner_references=(controller,)))
    assert controller_of(child) == controller
    assert is_controlled_by(child, owner)
