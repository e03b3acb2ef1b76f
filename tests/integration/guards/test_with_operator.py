"""The same user while the operator runs: what only reconcilers can see, and that everything honest goes through."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from e2e.plane import Plane
from tests.integration.guards.conftest import AIM, GATE, Object, Party, make_user, naming
from tests.integration.operator.running import Running, opt_in, pod, running

pytestmark = pytest.mark.plane

POLICIES = f"{AIM}/gpusharingpolicies"


@pytest.fixture
async def cluster(guarded: Plane, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(guarded, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as started:
        yield started


async def _user(cluster: Running) -> Party:
    return await asyncio.to_thread(make_user, cluster.plane, cluster.namespace)


async def _bound_says(cluster: Running, name: str, reason: str) -> str:
    """The message of the condition Bound of a pod's claim, once its reason is `reason`."""

    async def told() -> str:
        for claim in await cluster.claims():
            for condition in claim.get("status", {}).get("conditions", ()):
                if (claim["spec"]["podRef"]["name"], condition["type"]) == (name, "Bound"):
                    return str(condition["message"]) if condition["reason"] == reason else ""
        return ""

    found: str = await cluster.eventually(f"the claim of {name} says {reason}", told)
    return found


async def _gates(cluster: Running, name: str) -> list[Object]:
    found: list[Object] = (await cluster.get(f"{cluster.pods_path}/{name}"))["spec"].get("schedulingGates", [])
    return found


async def _policy(cluster: Running, name: str, classes: list[str], **spec: Object) -> None:
    ranked = [{"name": one, "rank": rank} for rank, one in enumerate(classes)]
    kind = {"apiVersion": "aim.amd.com/v1beta1", "kind": "GPUSharingPolicy"}
    await cluster.rule({**kind, "metadata": {"name": name}, "spec": {"qosClasses": ranked, **spec}})


async def test_a_running_pod_keeps_its_partition_whatever_is_tried_and_with_the_operator_killed(
    cluster: Running,
) -> None:
    user = await _user(cluster)
    user.accepted("POST", user.pods, pod("victim", opt_in()))
    (claim,) = await cluster.all_allocated(1)
    name = claim["metadata"]["name"]

    message = user.refused(
        "PATCH", f"{user.pods}/victim", {"metadata": {"annotations": {"aim.amd.com/engine-args": "x"}}}
    )
    assert "aim.amd.com/engine-args" in message
    user.accepted("POST", user.pods, pod("thief", opt_in(), schedulingGates=[{"name": GATE}], **naming(name)))

    async def told() -> bool:
        path = f"/apis/events.k8s.io/v1/namespaces/{cluster.namespace}/events"
        return any(
            (event["regarding"]["name"], event["reason"]) == ("thief", "ClaimNameTaken")
            for event in await cluster.items(path)
        )

    await cluster.eventually("the thief is told", told)
    user.accepted("DELETE", f"{user.claims}/{name}")

    async def again() -> bool:
        found = await cluster.find(f"{cluster.claims_path}/{name}")
        return bool(found and found["metadata"]["uid"] != claim["metadata"]["uid"] and found["spec"] == claim["spec"])

    await cluster.eventually("the victim's claim is made again", again)
    assert await _gates(cluster, "thief") == [{"name": GATE}]
    assert (await cluster.get(f"{cluster.resource_claims_path}/{name}"))["status"]["reservedFor"][0]["name"] == "victim"

    await cluster.operator.kill()
    user.refused("PATCH", f"{user.pods}/thief", {"spec": {"schedulingGates": None}})
    status, message = user.ask("POST", user.pods, pod("late", opt_in()))
    assert (status, "pod-gate.aim.amd.com" in message) == (500, True), message
    user.accepted("POST", user.pods, pod("plain", {}))
    user.accepted("DELETE", f"{user.pods}/thief")


async def test_foreign_policies_and_classes_wait_with_a_reason_and_are_tried_again(cluster: Running) -> None:
    user = await _user(cluster)
    nowhere = {"matchLabels": {"no-node": "has-it"}}
    others = {"matchLabels": {"kubernetes.io/metadata.name": "team-secret"}}
    await _policy(cluster, "foreign", ["theirs"], nodeSelector=nowhere, namespaceSelector=others)
    for name, asked in (
        ("p-foreign", {"policy": "foreign"}),
        ("p-unknown", {"policy": "later"}),
        ("c-foreign", {"qos_class": "theirs"}),
        ("c-unknown", {"qos_class": "golt"}),
        ("c-known", {"qos_class": "standard"}),
    ):
        user.accepted("POST", user.pods, pod(name, opt_in(**asked)))
    told = {
        "p-foreign": await _bound_says(cluster, "p-foreign", "PolicyNotForNamespace"),
        "p-unknown": await _bound_says(cluster, "p-unknown", "PolicyNotFound"),
        "c-foreign": await _bound_says(cluster, "c-foreign", "QoSClassNotFound"),
        "c-unknown": await _bound_says(cluster, "c-unknown", "QoSClassNotFound"),
    }
    await cluster.all_allocated(1)
    for name, words in {
        "p-foreign": ["aim.amd.com/policy", "'foreign'", "leave it out"],
        "p-unknown": ["aim.amd.com/policy", "'later'", "leave it out"],
        "c-foreign": ["aim.amd.com/qos-class", "'theirs'", "realtime, standard, batch"],
        "c-unknown": ["aim.amd.com/qos-class", "'golt'", "realtime, standard, batch"],
    }.items():
        assert all(word in told[name] for word in words), told[name]
        assert "team-secret" not in told[name]
        assert await _gates(cluster, name) == [{"name": GATE}]

    await _policy(cluster, "later", ["golt"])
    await cluster.all_allocated(3)
    assert (await _gates(cluster, "p-unknown"), await _gates(cluster, "c-unknown")) == ([], [])
    await cluster.patch(f"{POLICIES}/foreign", {"spec": {"namespaceSelector": {"matchLabels": None}}})
    await cluster.all_allocated(4)
    assert await _gates(cluster, "p-foreign") == [{"name": GATE}]  # it selects no node still
