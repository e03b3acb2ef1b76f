"""Objects drawn from the schema keep all rules of the API server, so that a search misses no kind of valid object."""

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from api.conversion.spec_schema import spec_schema
from api.openapi.crd import crd
from api.openapi.kind import GPU_SHARING_POLICY, INFERENCE_SERVICE
from e2e.plane import Plane
from tests.builders.schema_strategy import examples, kind_of, model_of

pytestmark = pytest.mark.plane

COUNT = 60
VERSIONS = ["v1beta1", "v1alpha1"]
TWO = [INFERENCE_SERVICE.name, GPU_SHARING_POLICY.name]


def alone(kind: str, version: str) -> dict[str, Any]:
    """One version as a definition of its own, in a group of its own: nobody has to convert it."""
    definition = crd(kind_of(kind))
    spec = definition["spec"]
    group = f"{version}.drawn.example.com"
    found = next(entry for entry in spec["versions"] if entry["name"] == version)
    names = {key: spec["names"][key] for key in ("kind", "listKind", "plural", "singular")}
    return {
        "apiVersion": definition["apiVersion"],
        "kind": definition["kind"],
        "metadata": {"name": f"{names['plural']}.{group}"},
        "spec": {"group": group, "scope": spec["scope"], "names": names, "versions": [found | {"storage": True}]},
    }


@pytest.fixture(scope="module")
def served(plane: Plane) -> Iterator[Plane]:
    """A plane with the four definitions; they go again, for the plane is shared."""
    definitions = [alone(kind, version) for kind in TWO for version in VERSIONS]
    plane.admin.apply(definitions)
    for definition in definitions:
        wait_until_served(plane, definition)
    yield plane
    for definition in definitions:
        plane.admin.delete(plane.admin.path_of(definition))


def wait_until_served(plane: Plane, definition: dict[str, Any]) -> None:
    spec = definition["spec"]
    path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
    patience = time.monotonic() + 30
    while plane.admin.raw("GET", path)[0] != http.client.OK:
        assert time.monotonic() < patience, f"{path} is not served"
        time.sleep(0.05)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", TWO)
def test_drawn_objects_are_valid_and_get_the_defaults_that_conversion_gives(
    served: Plane, kind: str, version: str
) -> None:
    schema = spec_schema(model_of(kind, version))
    for obj in examples(kind, version, COUNT, 7):
        drawn = obj | {"apiVersion": f"{version}.drawn.example.com/{version}"}
        collection = served.admin.path_of(drawn).rpartition("/")[0]
        status, body = served.admin.raw("POST", f"{collection}?dryRun=All&fieldValidation=Strict", drawn)
        answer = json.loads(body)
        assert status == http.client.CREATED, (answer["message"], drawn)
        assert answer["spec"] == schema.defaulted(obj["spec"])
