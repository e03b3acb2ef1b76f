"""Each kind, decoded from JSON as the API server writes it; what no struct names is dropped, and nulls are empty."""

from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pytest

from controller.runtime.objects.endpoint_slice import Endpoint, EndpointSlice
from controller.runtime.objects.lease import Lease
from controller.runtime.objects.metadata import KubeObject, OwnerReference
from controller.runtime.objects.node import Node, Taint
from controller.runtime.objects.node_selector import NodeSelector
from controller.runtime.objects.pod import Pod
from controller.runtime.objects.replica_set import ReplicaSet
from controller.runtime.objects.resource_claim import AllocatedDeviceStatus, DeviceClaim, ResourceClaim
from controller.runtime.objects.resource_slice import ResourceSlice

KINDS = [Pod, Node, ResourceClaim, ResourceSlice, EndpointSlice, Lease, ReplicaSet]


def decoded(into: type[Any], **fields: Any) -> Any:
    return msgspec.json.decode(orjson.dumps({"metadata": {"name": "a"}, **fields}), type=into)


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_is_enough_and_the_kind_is_known(kind: type[KubeObject]) -> None:
    found = decoded(kind)
    assert found.kind == kind.__name__
    assert found.api_version in {"v1", "resource.k8s.io/v1", "discovery.k8s.io/v1", "coordination.k8s.io/v1", "apps/v1"}
    assert (found.metadata.name, found.metadata.labels, found.metadata.owner_references) == ("a", {}, ())


@pytest.mark.parametrize("kind", KINDS)
def test_objects_are_frozen(kind: type[KubeObject]) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        decoded(kind).metadata = None


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_without_metadata_is_none(kind: type[KubeObject]) -> None:
    with pytest.raises(msgspec.ValidationError, match="metadata"):
        msgspec.json.decode(b"{}", type=kind)


def test_metadata() -> None:
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "o", "controller": True}
    metadata = {
        "name": "a",
        "creationTimestamp": None,  # older API servers write a zero time so
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"x": "y"},
        "ownerReferences": [owner],
        "managedFields": [{"manager": "m"}],
        "finalizers": ["f"],
    }
    found = decoded(Node, metadata=metadata).metadata
    assert (found.creation_timestamp, found.deletion_timestamp) == (None, "2026-01-01T00:00:00Z")
    assert found.owner_references == (
        OwnerReference(api_version="v1", kind="Node", name="n", uid="o", controller=True),
    )
    assert (found.labels, found.finalizers) == ({"x": "y"}, ("f",))


def test_a_pod() -> None:
    container = {"name": "main", "image": "i", "resources": {"requests": {"cpu": "1"}, "limits": {"amd.com/gpu": "1"}}}
    term = {"matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}
    required = {"nodeSelectorTerms": [term]}
    found = decoded(
        Pod,
        spec={
            "nodeName": "n",
            "containers": [container],
            "initContainers": [{"name": "side", "restartPolicy": "Always"}],
            "schedulingGates": [{"name": "g"}],
            "resourceClaims": [{"name": "gpu", "resourceClaimName": "c"}],
            "tolerations": [{"operator": "Exists"}],
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}},
            "priority": -5,
            "volumes": [{"name": "v"}, {"name": "files", "configMap": {"name": "c", "optional": True}}],
        },
        status={
            "phase": "Running",
            "podIP": "10.0.0.1",
            "podIPs": [{"ip": "10.0.0.1"}],
            "hostIP": "10.0.0.2",
            "qosClass": "Burstable",
            "conditions": [{"type": "Ready", "status": "True", "lastProbeTime": None, "lastTransitionTime": None}],
            "resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": "c-x"}],
        },
    )
    spec, status = found.spec, found.status
    assert (spec.node_name, spec.priority, spec.containers[0].resources.limits) == ("n", -5, {"amd.com/gpu": "1"})
    assert (spec.init_containers[0].restart_policy, spec.scheduling_gates[0].name) == ("Always", "g")
    assert [(each.name, each.config_map.name) for each in spec.volumes] == [("files", "c")]
    assert (spec.resource_claims[0].resource_claim_name, spec.tolerations[0].operator) == ("c", "Exists")
    terms = spec.affinity.node_affinity.required_during_scheduling_ignored_during_execution.node_selector_terms
    assert terms[0].match_expressions[0].values == ("v",)
    assert (status.phase, status.pod_ip, status.pod_ips[0].ip, status.host_ip) == (
        "Running",
        "10.0.0.1",
        "10.0.0.1",
        "10.0.0.2",
    )
    assert (status.qos_class, status.conditions[0].status) == ("Burstable", "True")
    assert status.resource_claim_statuses[0].resource_claim_name == "c-x"


def test_a_node() -> None:
    found = decoded(
        Node,
        spec={"unschedulable": True, "taints": [{"key": "k", "effect": "NoSchedule"}], "providerID": "p"},
        status={
            "allocatable": {"cpu": "8"},
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
            "images": [{"names": ["x"]}],
        },
    )
    assert (found.spec.unschedulable, found.spec.provider_id) == (True, "p")
    assert found.spec.taints == (Taint(key="k", effect="NoSchedule"),)
    assert (found.status.allocatable, found.status.addresses[0].address) == ({"cpu": "8"}, "10.0.0.1")


def test_a_resource_claim() -> None:
    exactly = {"deviceClassName": "gpu", "selectors": [{"cel": {"expression": "true"}}], "count": 2}
    result = {"request": "gpu", "driver": "d", "pool": "p", "device": "x", "adminAccess": True, "shareID": "s"}
    found = decoded(
        ResourceClaim,
        spec={"devices": {"requests": [{"name": "gpu", "exactly": exactly}], "config": [{"opaque": {}}]}},
        status={
            "allocation": {"devices": {"results": [result]}, "nodeSelector": {"nodeSelectorTerms": []}},
            "reservedFor": [{"resource": "pods", "name": "a", "uid": "u"}],
        },
    )
    request = found.spec.devices.requests[0]
    assert (request.exactly.count, request.exactly.selectors[0].cel.expression) == (2, "true")
    given = found.status.allocation.devices.results[0]
    assert (given.pool, given.device, given.admin_access, given.share_id) == ("p", "x", True, "s")
    assert found.status.reserved_for[0].uid == "u"


def test_a_resource_slice() -> None:
    attributes = {
        "profile": {"string": "CPX"},
        "index": {"int": 3},
        "whole": {"bool": False},
        "v": {"version": "1.0.0"},
    }
    device = {"name": "x", "attributes": attributes, "capacity": {"memory": {"value": "24Gi"}}}
    pool = {"name": "n", "generation": 4, "resourceSliceCount": 1}
    found = decoded(ResourceSlice, spec={"driver": "d", "nodeName": "n", "pool": pool, "devices": [device]})
    assert (found.spec.driver, found.spec.node_name, found.spec.pool.generation) == ("d", "n", 4)
    (kept,) = found.spec.devices
    assert (kept.attributes["profile"].string, kept.attributes["index"].int_value) == ("CPX", 3)
    assert (kept.attributes["whole"].bool_value, kept.attributes["v"].version) == (False, "1.0.0")
    assert kept.capacity["memory"].value == "24Gi"


def test_an_endpoint_slice() -> None:
    endpoint = {
        "addresses": ["10.0.0.1"],
        "conditions": {"ready": True, "terminating": False},
        "nodeName": "n",
        "targetRef": {"kind": "Pod", "name": "a", "uid": "u"},
    }
    port = {"name": "http", "port": 8080, "protocol": "TCP"}
    found = decoded(EndpointSlice, addressType="IPv4", endpoints=[endpoint], ports=[port])
    (kept,) = found.endpoints
    assert (kept.addresses, kept.conditions.ready, kept.conditions.serving) == (("10.0.0.1",), True, None)
    assert (kept.node_name, kept.target_ref.uid, found.ports[0].port) == ("n", "u", 8080)


def test_a_lease() -> None:
    renewed = "2026-01-01T00:00:00.000000Z"
    spec = {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": renewed, "leaseTransitions": 2}
    found = decoded(Lease, spec=spec).spec
    assert (found.holder_identity, found.lease_duration_seconds, found.renew_time) == ("me", 15, renewed)


@pytest.mark.parametrize(
    ("into", "body", "read"),
    [
        pytest.param(Pod, b'{"metadata":{},"spec":{"containers":null}}', lambda p: p.spec.containers, id="containers"),
        pytest.param(EndpointSlice, b'{"metadata":{},"endpoints":null}', lambda s: s.endpoints, id="endpoints"),
        pytest.param(EndpointSlice, b'{"metadata":{},"ports":null}', lambda s: s.ports, id="ports"),
        pytest.param(Endpoint, b'{"addresses":null}', lambda e: e.addresses, id="addresses of an endpoint"),
        pytest.param(DeviceClaim, b'{"requests":null}', lambda c: c.requests, id="requests for devices"),
        pytest.param(NodeSelector, b'{"nodeSelectorTerms":null}', lambda s: s.node_selector_terms, id="terms"),
        pytest.param(
            AllocatedDeviceStatus,
            b'{"driver":"d","pool":"p","device":"x","conditions":null}',
            lambda d: d.conditions,
            id="conditions of a device",
        ),
    ],
)
def test_a_slice_that_go_left_nil_is_empty(into: type[Any], body: bytes, read: Callable[[Any], object]) -> None:
    assert read(msgspec.json.decode(body, type=into)) == ()


def test_what_was_decoded_is_written_back_under_the_wires_names() -> None:
    pod = decoded(Pod, spec={"nodeName": "n", "containers": [{"name": "main"}]}, status={"podIP": "10.0.0.1"})
    assert msgspec.to_builtins(pod) == {
        "metadata": {"name": "a"},
        "spec": {"nodeName": "n", "containers": ({"name": "main"},)},
        "status": {"podIP": "10.0.0.1"},
    }


@pytest.mark.parametrize(("spec", "want"), [({}, 1), ({"replicas": 0}, 0), ({"replicas": 3, "template": {}}, 3)])
def test_how_many_pods_a_replica_set_is_to_have(spec: dict[str, Any], want: int) -> None:
    assert decoded(ReplicaSet, spec=spec).spec.replicas == want
