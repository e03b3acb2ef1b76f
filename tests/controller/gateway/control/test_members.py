from typing import Any

import pytest

from controller.gateway.control.members import (
    DEFAULT_SEATS,
    Entry,
    Found,
    Rejected,
    member,
    seats_of,
    takes_priority,
)
from controller.gateway.control.objects import NO_POD_SPEC, Claim, EnginePod, ServiceSlice
from controller.runtime.pod_addresses import Address
from controller.sizing.estimate import DEFAULT_CONCURRENCY
from tests.builders.watched import claim_of, engine_pod, entry, inference_service, service_slice


def found(slice_: ServiceSlice, pod: EnginePod | None, claim: Claim | None, **more: Any) -> Found | Rejected:
    return member(Entry(slice_, slice_.endpoints[0]), pod, claim, **more)


def test_a_ready_pod_with_its_claim_is_an_engine_on_the_claims_partition() -> None:
    pod = engine_pod()
    assert found(service_slice(entry(pod)), pod, claim_of(pod)) == Found(
        uid="uid-team-a-chat-0",
        address=Address("10.0.0.1", 8000),
        partition="worker-0/0000:05:00.0/3",
        seats=16,
        takes_priority=True,
        ready=True,
    )


POD = engine_pod()
OTHER = engine_pod("victim-0", "team-b", ip="10.0.0.9", service="victim")


@pytest.mark.parametrize(
    ("slice_", "pod", "claim", "want"),
    [
        pytest.param(service_slice(entry(POD)), None, None, "PodNotFound", id="the pod is gone"),
        pytest.param(service_slice(entry(POD, uid="other")), POD, claim_of(POD), "PodNotFound", id="another uid"),
        pytest.param(service_slice(entry(POD, name="other")), POD, claim_of(POD), "PodNotFound", id="another name"),
        pytest.param(service_slice(entry(POD, kind="Node")), POD, claim_of(POD), "NoPod", id="no pod at all"),
        pytest.param(
            service_slice(entry(OTHER)), OTHER, claim_of(OTHER), "OtherNamespace", id="another namespace's pod"
        ),
        pytest.param(
            service_slice(entry(OTHER, namespace="team-a")), OTHER, claim_of(OTHER), "PodNotFound", id="under our name"
        ),
        pytest.param(
            service_slice(entry(POD, namespace="team-b")), POD, claim_of(POD), "OtherNamespace", id="named elsewhere"
        ),
        pytest.param(
            service_slice(entry(POD, address="10.0.0.9")), POD, claim_of(POD), "AddressNotOfPod", id="others' address"
        ),
        pytest.param(
            service_slice(entry(POD), service="mine"), POD, claim_of(POD), "OtherService", id="a Service beside it"
        ),
        pytest.param(service_slice(entry(POD)), POD, None, "NoClaim", id="no claim"),
        pytest.param(service_slice(entry(POD)), POD, claim_of(POD, phase="Pending"), "NotBound", id="not bound yet"),
        pytest.param(service_slice(entry(POD)), POD, claim_of(POD, phase="Released"), "NotBound", id="released"),
        pytest.param(service_slice(entry(POD)), POD, claim_of(OTHER), "NotBound", id="another pod's claim"),
        pytest.param(
            service_slice(entry(POD), ports=[{"name": "dns", "port": 53, "protocol": "UDP"}]),
            POD,
            claim_of(POD),
            "NoPort",
            id="no TCP port",
        ),
    ],
)
def test_what_is_no_engine(slice_: ServiceSlice, pod: EnginePod | None, claim: Claim | None, want: str) -> None:
    refused = found(slice_, pod, claim)
    assert isinstance(refused, Rejected)
    assert refused.reason == want


def test_a_pod_with_its_nodes_address_is_none_for_others_listen_there_too() -> None:
    pod = engine_pod(host_network=True)
    assert found(service_slice(entry(pod)), pod, claim_of(pod)) == Rejected(
        "HostNetwork", "has its node's address, which others share"
    )


def test_a_pod_that_did_not_opt_in_is_none() -> None:
    pod = engine_pod(annotations={"aim.amd.com/gpu-sharing": "false"})
    refused = found(service_slice(entry(engine_pod())), pod, claim_of(pod))
    assert isinstance(refused, Rejected)
    assert refused.reason == "NotOptedIn"


def test_of_our_own_service_only_pods_with_its_label_are_engines() -> None:
    stranger = engine_pod("stranger", service=None)
    refused = found(service_slice(entry(stranger)), stranger, claim_of(stranger), service=inference_service())
    assert isinstance(refused, Rejected)
    assert refused.reason == "NotOfService"


@pytest.mark.parametrize("service", ["chat", "chat-predictor"])
def test_its_own_service_or_kserves_predictor_reach_it(service: str) -> None:
    pod = engine_pod()
    assert isinstance(found(service_slice(entry(pod), service=service), pod, claim_of(pod)), Found)


@pytest.mark.parametrize(
    ("shown", "pod", "want"),
    [
        pytest.param({"ready": True}, engine_pod(), True, id="ready"),
        pytest.param({"ready": None}, engine_pod(), True, id="unknown means ready"),
        pytest.param({"ready": False}, engine_pod(), False, id="not ready"),
        pytest.param({"ready": True}, engine_pod(deleted=True), False, id="deleted, and the slice does not say yet"),
    ],
)
def test_readiness(shown: dict[str, Any], pod: EnginePod, want: bool) -> None:
    one = found(service_slice(entry(pod, **shown)), pod, claim_of(pod))
    assert isinstance(one, Found)
    assert one.ready is want


def test_a_terminating_entry_gets_nothing_new() -> None:
    pod = engine_pod()
    shown = entry(pod) | {"conditions": {"ready": True, "serving": True, "terminating": True}}
    one = found(service_slice(shown), pod, claim_of(pod))
    assert isinstance(one, Found)
    assert not one.ready


def test_members_of_a_share_group_are_on_one_partition() -> None:
    pods = [engine_pod("chat-0"), engine_pod("embed-0", ip="10.0.0.2", service="embed")]
    claim = claim_of(*pods, group="small", concurrency=None)
    partitions = set()
    for pod, service in zip(pods, ("chat", "embed"), strict=True):
        one = found(service_slice(entry(pod), service=service), pod, claim)
        assert isinstance(one, Found)
        partitions.add(one.partition)
    assert partitions == {"worker-0/0000:05:00.0/3"}


def test_the_kubelets_choice_is_the_partition_once_it_was_read_back() -> None:
    pod = engine_pod()
    before, after = (
        found(service_slice(entry(pod)), pod, claim_of(pod, devices=False, observed=known)) for known in (False, True)
    )
    assert isinstance(before, Found)
    assert isinstance(after, Found)
    assert before.partition == f"worker-0/pod/{pod.metadata.uid}"
    assert after.partition == "worker-0/0000:05:00.0/3"


@pytest.mark.parametrize(
    ("said", "sized", "want"),
    [
        pytest.param("4", 16, 16, id="the claim's word goes first"),
        pytest.param("4", None, 4, id="then the pod's"),
        pytest.param("", None, DEFAULT_SEATS, id="then sizing's default"),
        pytest.param("-3", None, DEFAULT_SEATS, id="nonsense is passed over"),
        pytest.param("0", None, DEFAULT_SEATS, id="and so is none"),
        pytest.param("99999", None, 65_536, id="and no more than the API takes"),
    ],
)
def test_seats(said: str, sized: int | None, want: int) -> None:
    pod = engine_pod(annotations={"aim.amd.com/max-concurrency": said})
    assert seats_of(pod, claim_of(pod, concurrency=sized)) == want


def test_the_default_is_sizings() -> None:
    assert DEFAULT_SEATS == DEFAULT_CONCURRENCY


@pytest.mark.parametrize(
    ("pod", "want"),
    [
        pytest.param(engine_pod(), True, id="a catalogue's image reads our arguments"),
        pytest.param(engine_pod(image="vllm/vllm-openai:v0.9"), False, id="another does not"),
        pytest.param(engine_pod(image="registry.example/claim-it:1"), False, id="nor one that only ends alike"),
        pytest.param(engine_pod(annotations={"aim.amd.com/engine-args": "{}"}), False, id="bound before we said so"),
        pytest.param(engine_pod(annotations={"aim.amd.com/engine-args": "nonsense"}), False, id="arguments unreadable"),
        pytest.param(engine_pod(annotations={"aim.amd.com/engine-args": "[]"}), False, id="arguments of another form"),
        pytest.param(
            engine_pod(image="vllm", args=["--scheduling-policy", "priority"]), True, id="by its own arguments"
        ),
        pytest.param(engine_pod(image="vllm", args=["--scheduling-policy=priority"]), True, id="in one word"),
        pytest.param(engine_pod(image="vllm", args=["serve m --scheduling-policy priority"]), True, id="in a shell"),
        pytest.param(engine_pod(image="vllm", args=["--scheduling-policy", "fcfs"]), False, id="another policy"),
    ],
)
def test_only_engines_started_for_it_are_told_a_priority(pod: EnginePod, want: bool) -> None:
    assert takes_priority(pod) is want


def test_of_a_pod_that_takes_no_part_nothing_is_kept_but_its_name() -> None:
    stranger = engine_pod(annotations={"aim.amd.com/gpu-sharing": "false"})
    assert stranger.spec == NO_POD_SPEC
    assert not stranger.metadata.annotations
    assert stranger.metadata.name == "chat-0"
