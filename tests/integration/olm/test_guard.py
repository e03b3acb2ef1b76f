"""What becomes of pods under OLM while no operator answers, on a real API server."""

import http.client
from collections.abc import Iterator
from typing import Any

import pytest

from e2e.plane import Plane
from olm.guard import guard
from olm.sources import manifest
from olm.webhooks import webhooks
from tests.integration.guards.conftest import Party, gated, pod

pytestmark = pytest.mark.plane

OPTED_IN = {"aim.amd.com/gpu-sharing": "true"}
ANSWERS_NO = "https://127.0.0.1:1/mutate-pod"
"""A port where nobody listens."""


def as_olm_makes_it(described: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the pod webhook: what OLM takes over from its description, and an operator that is down."""
    taken = ("rules", "failurePolicy", "matchPolicy", "sideEffects", "timeoutSeconds", "admissionReviewVersions")
    webhook = {key: described[key] for key in taken} | {"name": described["generateName"]}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "pod-gate.aim.amd.com-x2v8k"},
        "webhooks": [webhook | {"clientConfig": {"url": ANSWERS_NO}}],
    }


@pytest.fixture(scope="module")
def plane() -> Iterator[Plane]:
    """One of its own: the policy would be in the way of others' tests."""
    with Plane() as started:
        (described,) = [each for each in webhooks(manifest()) if each["type"] == "MutatingAdmissionWebhook"]
        started.admin.apply([as_olm_makes_it(described)])
        yield started


def test_a_pod_that_asks_for_no_gpu_starts_and_one_that_does_is_refused_in_words(plane: Plane) -> None:
    party = Party(plane.admin, "default")
    party.accepted("POST", f"{party.pods}?dryRun=All", pod("unguarded", OPTED_IN))  # what the policy is there for
    plane.admin.apply(guard(manifest()))

    def bites() -> bool:
        return party.ask("POST", f"{party.pods}?dryRun=All", pod("chat", OPTED_IN))[0] >= http.client.BAD_REQUEST

    plane.wait_until(bites, "the policy bites")
    said = party.refused("POST", party.pods, pod("chat", OPTED_IN))
    assert "pod default/chat: metadata.annotations[aim.amd.com/gpu-sharing]: 'true' asks for a part of a GPU" in said
    assert "once a pod of Deployment aim-gpu-operator is ready, or take the annotation off" in said
    party.accepted("POST", party.pods, pod("other"))
    party.accepted("POST", party.pods, pod("out", {"aim.amd.com/gpu-sharing": "false"}))
    party.accepted("POST", party.pods, gated("gated", OPTED_IN))
