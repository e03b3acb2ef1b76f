from typing import Any

import pytest

from controller.exporter.engines.objects import EnginePod, kept_of_pod, kept_of_slice
from controller.exporter.engines.targets import LONGEST_MODEL, Target, service_of, target_of
from controller.exporter.engines.totals import ServiceKey
from controller.runtime.objects.conversion import typed
from controller.runtime.objects.endpoint_slice import EndpointSlice
from controller.runtime.pod_addresses import Address

CHAT = ServiceKey("team-a", "chat", "a/b")
HTTP = {"name": "http", "containerPort": 8080}


def pod(
    labels: dict[str, str] | None = None,
    *,
    ports: list[dict[str, Any]] | None = None,
    share: str = "true",
    model: str = "a/b",
    status: dict[str, Any] | None = None,
    **spec: Any,
) -> EnginePod:
    ready = {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
    wire = {
        "metadata": {
            "name": "chat-0",
            "namespace": "team-a",
            "uid": "u",
            "labels": labels or {},
            "annotations": {"aim.amd.com/gpu-sharing": share, "aim.amd.com/model-id": model},
        },
        "spec": {"containers": [{"ports": [HTTP] if ports is None else ports}], **spec},
        "status": ready | (status or {}),
    }
    return kept_of_pod(typed(wire, EnginePod))


def listing(service: str, *ports: dict[str, Any]) -> EndpointSlice:
    wire = {
        "metadata": {
            "name": f"{service}-x",
            "namespace": "team-a",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.9.9.9"], "targetRef": {"kind": "Pod", "name": "chat-0"}}],
        "ports": list(ports),
    }
    return kept_of_slice(typed(wire, EndpointSlice))


def test_a_ready_pod_is_read_at_its_own_address_whatever_a_slice_says() -> None:
    found = target_of(pod(), CHAT, [listing("chat", {"name": "https", "port": 8443})])
    assert found == Target("u", CHAT, False, Address("10.0.0.1", 8443, tls=True))


OURS = {"aim.amd.com/inference-service": "ours"}
KSERVE = {"serving.kserve.io/inferenceservice": "kserve"}


@pytest.mark.parametrize(
    ("labels", "services", "want"),
    [
        pytest.param(OURS | KSERVE, ["b"], "ours", id="of a service of ours"),
        pytest.param(KSERVE, ["kserve-predictor"], "kserve", id="of KServe's"),
        pytest.param({}, ["b", "a"], "a", id="of the first Kubernetes Service that lists it"),
        pytest.param({}, [], "", id="of none"),
    ],
)
def test_whose_an_engine_is(labels: dict[str, str], services: list[str], want: str) -> None:
    assert service_of(pod(labels), [listing(one) for one in services]) == ("team-a", want, "a/b")


def test_a_model_that_is_longer_than_the_api_takes_is_none() -> None:
    for length, want in ((LONGEST_MODEL, "m" * LONGEST_MODEL), (LONGEST_MODEL + 1, "")):
        found = pod(KSERVE, model="m" * length)
        assert service_of(found, []).model == want


def test_only_pods_of_our_services_are_those_that_a_gateway_serves_first() -> None:
    assert [pod(labels).ours for labels in (OURS, KSERVE, {})] == [True, False, False]


@pytest.mark.parametrize(
    ("slices", "ports", "want"),
    [
        pytest.param([listing("b", {"port": 1}), listing("a", {"port": 2})], [HTTP], 2, id="of the first Service"),
        pytest.param([listing("a"), listing("b", {"port": 1})], [HTTP], 1, id="of the first that has one"),
        pytest.param([], [{"name": "grpc", "containerPort": 9}, HTTP], 8080, id="of its containers"),
        pytest.param([], [{"name": "x", "containerPort": 9, "protocol": "UDP"}], None, id="of TCP"),
        pytest.param([], [], None, id="none"),
    ],
)
def test_the_port_that_is_asked(slices: list[EndpointSlice], ports: list[dict[str, Any]], want: int | None) -> None:
    found = target_of(pod(ports=ports), CHAT, slices)
    assert (found.address.port if found is not None else None) == want


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(pod(share="false"), id="one that only bears the label"),
        pytest.param(pod(status={"conditions": [{"type": "Ready", "status": "False"}]}), id="one that is not ready"),
        pytest.param(pod(status={"conditions": []}), id="one of which nothing is known"),
        pytest.param(pod(status={"podIP": ""}), id="one without an address"),
        pytest.param(pod(status={"phase": "Failed"}), id="one that has ended"),
        pytest.param(pod(hostNetwork=True), id="one with its node's address"),
    ],
)
def test_who_is_not_asked(other: EnginePod) -> None:
    assert target_of(other, CHAT, [listing("chat", {"port": 80})]) is None


def test_of_what_the_kubelet_says_only_ready_means_ready() -> None:
    conditions = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "False"}]
    wire = {"metadata": {"name": "chat-0"}, "status": {"phase": "Running", "conditions": conditions}}
    assert not typed(wire, EnginePod).ready


def test_of_a_pod_little_is_kept() -> None:
    kept = pod(
        {"app": "chat", **OURS},
        status={"message": "long", "conditions": [{"type": "Ready", "status": "True", "message": "long"}]},
    )
    assert kept.metadata.labels == OURS
    assert kept.status.message == kept.status.conditions[0].message == ""
