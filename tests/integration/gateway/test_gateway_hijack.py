"""A user who may do everything in a namespace makes it point at another team's engines, and gains nothing."""

from pathlib import Path
from typing import Any

import pytest

from e2e.plane import Plane
from tests.integration.gateway.world import World, a_world
from tests.integration.operator.running import SMALL, service

pytestmark = pytest.mark.plane

ATTACKER = "hijack"


async def slice_of(world: World, namespace: str, name: str, entry: dict[str, Any]) -> None:
    """An EndpointSlice that nobody's Service made."""
    labels = {"kubernetes.io/service-name": name}
    await world.cluster.create(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        {
            "metadata": {"name": f"{name}-own", "labels": labels},
            "addressType": "IPv4",
            "endpoints": [entry],
            "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
        },
    )


@pytest.mark.timeout(300)
async def test_another_teams_engines_are_out_of_reach(plane: Plane, tmp_path: Path) -> None:
    plane.admin.create("/api/v1/namespaces", {"metadata": {"name": ATTACKER}})
    try:
        async with a_world(plane, tmp_path, also=[ATTACKER]) as world:
            await attacked(world)
    finally:
        plane.admin.delete(f"/api/v1/namespaces/{ATTACKER}")


async def attacked(world: World) -> None:
    cluster = world.cluster
    (victim,) = await world.serve()
    owner = await world.key()
    assert (await world.answered(owner)).engine == victim
    (pod,) = await cluster.pods()
    thief = await world.key(namespace=ATTACKER)
    await world.answered(thief, f"{world.namespace}/chat", status=404)

    # a Service without a selector and a slice that lists the other team's pod, by its own reference and a forged one
    reference = {"kind": "Pod", "namespace": world.namespace, "name": pod["metadata"]["name"], "uid": victim}
    for name, target in (("chat", reference), ("loot", reference | {"namespace": ATTACKER})):
        port = {"name": "http", "port": 80, "protocol": "TCP"}
        await cluster.create(
            f"/api/v1/namespaces/{ATTACKER}/services", {"metadata": {"name": name}, "spec": {"ports": [port]}}
        )
        entry = {"addresses": [pod["status"]["podIP"]], "conditions": {"ready": True}, "targetRef": target}
        await slice_of(world, ATTACKER, name, entry)
    # the same names in a namespace of one's own; it comes last, as the operator would make its Service
    aim = f"/apis/aim.amd.com/v1beta1/namespaces/{ATTACKER}/inferenceservices"
    await cluster.create(aim, service("chat", replicas=0))

    # the thief's own service is known by now, and has no engine
    assert (await world.answered(thief, status=503)).reason == "NoEndpoint"
    assert (await world.ask(thief, SMALL)).reason == "NoEndpoint"
    assert (await world.ask(thief, "loot")).reason == "ModelNotFound"
    assert (await world.ask(thief, f"{world.namespace}/chat")).reason == "ModelNotFound"
    assert (await world.ask(thief, f"{ATTACKER}/chat")).reason == "NoEndpoint"
    # and the owner is served as before, by every name
    for name in ("chat", SMALL, f"{world.namespace}/chat"):
        assert (await world.ask(owner, name)).engine == victim
    assert (await world.ask(owner, f"{ATTACKER}/chat")).reason == "ModelNotFound"
    assert "OtherNamespace" in world.gateway.log.read_text()
