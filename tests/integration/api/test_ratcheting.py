"""A rule that a release tightens does not lock up what was written before: only a field that changes is judged."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from api.openapi.crd import crd
from api.openapi.kind import GPU_SHARING_POLICY
from e2e.plane import Plane
from e2e.plane.admin import Object

pytestmark = pytest.mark.plane

GROUP = "ratchet.aim.test"
DEFINITION = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gpusharingpolicies.{GROUP}"
POLICIES = f"/apis/{GROUP}/v1beta1/gpusharingpolicies"


def definition(*, rules: bool) -> Object:
    """Our policies in a group of their own, so that nobody else's change of rules is felt."""
    made = deepcopy(crd(GPU_SHARING_POLICY))
    made["metadata"]["name"] = f"gpusharingpolicies.{GROUP}"
    made["spec"]["group"] = GROUP
    made["spec"]["names"] |= {"shortNames": ["ratchets"], "categories": []}
    made["spec"]["versions"] = made["spec"]["versions"][:1]
    made["spec"].pop("conversion", None)
    return made if rules else _without_rules(made)


def _without_rules(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_rules(child) for key, child in node.items() if key != "x-kubernetes-validations"}
    return [_without_rules(child) for child in node] if isinstance(node, list) else node


def policy(name: str, cooldown: str) -> Object:
    repartition = {"cooldown": cooldown, "windows": [{"start": "22:00", "end": "22:00"}]}
    return {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {"name": name},
        "spec": {"repartition": repartition},
    }


@pytest.fixture
def old_policy(plane: Plane) -> Iterator[str]:
    """The path of a policy from before the rules, after they have come into force."""
    plane.admin.apply([definition(rules=False)])
    plane.wait_until(lambda: plane.admin.raw("GET", POLICIES)[0] == 200, "the kind is served")
    plane.admin.create(POLICIES, policy("old", "1000h"))
    plane.admin.apply([definition(rules=True)])
    plane.wait_until(lambda: _refused(plane, "POST", f"{POLICIES}?dryRun=All", policy("new", "1000h")), "rules hold")
    yield f"{POLICIES}/old"
    plane.admin.delete(DEFINITION)


def _refused(plane: Plane, method: str, path: str, body: Object) -> bool:
    kind = "application/json" if method == "POST" else "application/merge-patch+json"
    return plane.admin.raw(method, path, body, kind)[0] == 422


def test_an_old_object_is_updated_elsewhere_and_judged_where_it_changes(plane: Plane, old_policy: str) -> None:
    assert plane.admin.patch(old_policy, {"spec": {"paused": True}})["spec"]["paused"]
    assert plane.admin.patch(old_policy, {"spec": {"repartition": {"enabled": True}}})["spec"]["repartition"]["enabled"]
    assert _refused(plane, "PATCH", old_policy, {"spec": {"repartition": {"cooldown": "2000h"}}})
    assert plane.admin.patch(old_policy, {"spec": {"repartition": {"cooldown": "10m"}}})
