"""Every field that a struct names is one of the API server's own."""

from collections.abc import Iterator
from typing import Any

import msgspec
import orjson
import pytest

from controller.runtime.client.client import Client
from controller.runtime.client.configuration import ClientConfiguration
from controller.runtime.objects.endpoint_slice import EndpointSlice
from controller.runtime.objects.lease import Lease
from controller.runtime.objects.metadata import ApiStruct, KubeObject
from controller.runtime.objects.node import Node
from controller.runtime.objects.pod import Pod
from controller.runtime.objects.replica_set import ReplicaSet
from controller.runtime.objects.resource_claim import ResourceClaim
from controller.runtime.objects.resource_slice import ResourceSlice
from e2e.plane import Plane

KINDS = [
    pytest.param(Pod, "io.k8s.api.core.v1.Pod", id="pods"),
    pytest.param(Node, "io.k8s.api.core.v1.Node", id="nodes"),
    pytest.param(ResourceClaim, "io.k8s.api.resource.v1.ResourceClaim", id="resource claims"),
    pytest.param(ResourceSlice, "io.k8s.api.resource.v1.ResourceSlice", id="resource slices"),
    pytest.param(EndpointSlice, "io.k8s.api.discovery.v1.EndpointSlice", id="endpoint slices"),
    pytest.param(Lease, "io.k8s.api.coordination.v1.Lease", id="leases"),
    pytest.param(ReplicaSet, "io.k8s.api.apps.v1.ReplicaSet", id="replica sets"),
]

ABSENT = {
    "Condition.observedGeneration",  # all kinds share the struct; a Node's conditions do not carry it
    "ExactDeviceRequest.derivedAttributes",  # since Kubernetes 1.37
    "DeviceSubRequest.derivedAttributes",
}


@pytest.mark.plane
@pytest.mark.parametrize(("kind", "schema"), KINDS)
async def test_fields_are_the_api_servers(plane: Plane, kind: type[KubeObject], schema: str) -> None:
    async with Client(ClientConfiguration.from_kubeconfig(plane.kubeconfig)) as client:
        definitions = orjson.loads(await client.request("GET", "/openapi/v2"))["definitions"]
    assert set(unknown_fields(kind, definitions[schema], definitions)) - ABSENT == set()


def unknown_fields(kind: type[msgspec.Struct], schema: Any, definitions: Any) -> Iterator[str]:
    """The fields of `kind`, and of the structs in it, that `schema` has not got."""
    properties = schema.get("properties", {})
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in properties:
            yield f"{kind.__name__}.{field.encode_name}"
            continue
        below = innermost(properties[field.encode_name], definitions)
        for struct in structs(msgspec.inspect.type_info(field.type)):
            yield from unknown_fields(struct, below, definitions)


def innermost(schema: Any, definitions: Any) -> Any:
    """The schema of what a field holds, through references, lists and maps."""
    while True:
        if "$ref" in schema:
            schema = definitions[schema["$ref"].removeprefix("#/definitions/")]
        elif "items" in schema:
            schema = schema["items"]
        elif "additionalProperties" in schema:
            schema = schema["additionalProperties"]
        else:
            return schema


def structs(info: msgspec.inspect.Type) -> Iterator[type[msgspec.Struct]]:
    """The structs that a field's type holds."""
    match info:
        case msgspec.inspect.StructType():
            yield info.cls
        case msgspec.inspect.UnionType():
            for part in info.types:
                yield from structs(part)
        case msgspec.inspect.VarTupleType():
            yield from structs(info.item_type)
        case msgspec.inspect.DictType():
            yield from structs(info.value_type)


SCHEMA: dict[str, Any] = {"properties": {"a": {"type": "array", "items": {"$ref": "#/definitions/x"}}, "metadata": {}}}
DEFINITIONS: dict[str, Any] = {"x": {"properties": {"known": {}}}}


class Inner(ApiStruct, frozen=True, kw_only=True):
    """A struct with a field of its own making."""

    known: str = ""
    made_up: str = ""


class Outer(ApiStruct, frozen=True, kw_only=True):
    """Holds others, and has such a field itself."""

    a: tuple[Inner, ...] = ()
    b: str = ""


def test_a_made_up_field_would_be_seen() -> None:
    assert list(unknown_fields(Outer, SCHEMA, DEFINITIONS)) == ["Inner.madeUp", "Outer.b"]
