from datetime import timedelta
from typing import Any

import pytest

from controller.gateway.configuration import Endpoint
from controller.gateway.control.model_profiles import SEEN_AGAIN, ObservedUse, Profile, observables, seen
from controller.gateway.control.objects import Claim
from controller.runtime.objects.conversion import typed
from tests.fakes.clock import START

MODEL = "acme/chat-8b"
ENDPOINT = Endpoint("uid-a", "127.0.0.1", 8000, "node-0/0000:05:00.0/1", 8)


def profile(name: str = "chat", model: str = MODEL, *, created: str = "2026-01-01T00:00:00Z") -> Profile:
    sizes = [{"precision": "fp8", "kvBytesPerToken": 100}, {"precision": "bf16"}]
    made: dict[str, Any] = {
        "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "1", "creationTimestamp": created},
        "spec": {"modelId": model},
        "status": {"sizes": sizes},
    }
    return typed(made, Profile)


def claim(*, phase: str = "Allocated", devices: int = 1, group: bool = False, **model: Any) -> Claim:
    device = {"bdf": "0000:05:00.0", "partition": 1, "bytes": 1000}
    made: dict[str, Any] = {
        "metadata": {"name": "aim-1", "namespace": "team", "uid": "uid-claim", "resourceVersion": "1"},
        "spec": {"model": {"id": MODEL, "precision": "fp8", **model}},
        "status": {"phase": phase, "allocation": {"node": "node-0", "devices": [device] * devices}},
    }
    made["spec"] |= {"shareGroup": "group"} if group else {"podRef": {"name": "a", "uid": "uid-a"}}
    return typed(made, Claim)


def found(one: Claim | None, *profiles: Profile) -> list[tuple[str, int, int]]:
    return [
        (each.profile, each.partition_bytes, each.token_bytes)
        for each in observables([ENDPOINT], lambda _: one, profiles)
    ]


def test_an_engine_tells_of_the_profile_of_its_model() -> None:
    assert found(claim(), profile("other", "acme/other"), profile()) == [("chat", 1000, 100)]


@pytest.mark.parametrize(
    ("one", "want"),
    [
        pytest.param(claim(), "older", id="the oldest that is for the model"),
        pytest.param(claim(profileRef="younger"), "younger", id="the one that is named"),
    ],
)
def test_which_of_several_profiles(one: Claim, want: str) -> None:
    profiles = [profile("younger", created="2026-02-01T00:00:00Z"), profile("older")]
    assert [name for name, _, _ in found(one, *profiles)] == [want]


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(None, id="no claim"),
        pytest.param(claim(phase="Pending"), id="no partition yet"),
        pytest.param(claim(devices=2), id="an engine over two partitions"),
        pytest.param(claim(group=True), id="a member of a share group"),
        pytest.param(claim(id="acme/other"), id="a model of the catalogue"),
        pytest.param(claim(profileRef="gone"), id="a profile that is gone"),
        pytest.param(claim(precision="bf16"), id="a precision of which the KV cache is not known"),
    ],
)
def test_who_tells_nothing(one: Claim | None) -> None:
    assert found(one, profile()) == []


SEEN = ObservedUse(peak_bytes=100, samples=2, last_seen="2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("before", "peak", "pods", "later", "want"),
    [
        pytest.param(None, 100, 1, timedelta(), (100, 1), id="the first time"),
        pytest.param(SEEN, 101, 1, timedelta(minutes=1), (101, 2), id="more than before"),
        pytest.param(SEEN, 90, 3, timedelta(minutes=1), (100, 3), id="more pods"),
        pytest.param(SEEN, 100, 2, timedelta(minutes=1), None, id="nothing new"),
        pytest.param(SEEN, 90, 1, SEEN_AGAIN, (100, 2), id="nothing new for an hour"),
    ],
)
def test_what_the_status_is_to_have(
    before: ObservedUse | None, peak: int, pods: int, later: timedelta, want: tuple[int, int] | None
) -> None:
    now = START + later
    after = seen(before, peak, pods, now)
    assert (None if after is None else (after.peak_bytes, after.samples)) == want
    if after is not None:
        assert after.last_seen == now.strftime("%Y-%m-%dT%H:%M:%SZ")
