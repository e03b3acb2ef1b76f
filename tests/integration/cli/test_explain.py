"""explain and plan on a running operator's cluster: what they say is what the operator then does."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.plane import Plane
from tests.integration.cli.test_plan_verbs import aim_gpu, of_somebody
from tests.integration.operator.running import Object, Running, deployment, opt_in, pod, running

pytestmark = pytest.mark.plane

LONG = opt_in("meta-llama/Llama-3.1-8B-Instruct", max_model_len="16384")


async def pending(cluster: Running) -> Object:
    async def told() -> Object | None:
        claims = await cluster.claims()
        return next((c for c in claims if "Nearest change: set" in c.get("status", {}).get("explanation", "")), None)

    found: Object = await cluster.eventually("the waiting claim says what is nearest", told)
    return found


async def asked(plane: Plane, *arguments: str) -> Any:
    answer = await aim_gpu(plane.kubeconfig, *arguments, "-o", "json")
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


async def test_what_is_explained_and_planned_is_what_the_operator_does(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        await cluster.create(cluster.pods_path, pod("long", LONG))
        written = (await pending(cluster))["status"]["explanation"]

        here = ("-n", cluster.namespace)
        (told,) = (await asked(plane, "explain", "pod/long", *here))["claims"]
        nearest = told["explanation"]["changes"][0]
        assert f"Nearest change: {nearest['text']}" in written
        assert (nearest["kind"], nearest["place"]["node"]) == ("MaxConcurrency", cluster.names["a"])

        changed = pod("short", LONG | dict([nearest["text"].removeprefix("set ").split(" to ")]))
        path = tmp_path / "short.yaml"
        path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Pod"} | _in(changed, cluster.namespace)))
        planned = await asked(plane, "plan", "-f", str(path), "--cluster")
        (expected,) = planned["services"][0]["replicas"]
        await cluster.create(cluster.pods_path, changed)
        (held,) = await cluster.all_allocated(1)
        (device,) = held["status"]["allocation"]["devices"]
        assert (device["bdf"], device["partition"]) == (expected["bdf"], expected["partition"])

        await _the_pod_that_is_to_leave_leaves(cluster, tmp_path)
        somebody = await aim_gpu(of_somebody(plane.kubeconfig, tmp_path), "explain", "pod/long", *here)
        assert (somebody.returncode, somebody.stdout) == (1, "")
        assert 'cannot explain pod/long: pods "long" is forbidden: User "somebody" cannot get' in somebody.stderr


async def _the_pod_that_is_to_leave_leaves(cluster: Running, folder: Path) -> None:
    """On a full node: what plan says of a pod of higher priority is whom the operator evicts."""
    await cluster.create(cluster.deployments_path, deployment("hog", 7, opt_in()))

    async def full() -> bool:
        found = await cluster.get(f"{cluster.deployments_path}/hog")
        return bool(found.get("status", {}).get("availableReplicas", 0) == 7)

    await cluster.eventually("every partition serves", full)
    name = f"urgent-{cluster.namespace}"
    await cluster.create("/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": name}, "value": 1000})
    urgent = {"apiVersion": "v1", "kind": "Pod"} | _in(
        pod("urgent", opt_in(), priorityClassName=name), cluster.namespace
    )
    path = folder / "urgent.yaml"
    path.write_text(yaml.safe_dump(urgent))
    planned = await asked(cluster.plane, "plan", "-f", str(path), "--cluster")
    (leaving,) = planned["leaving"]
    (place,) = planned["services"][0]["replicas"][0]["partitions"]
    assert (leaving["for"], leaving["forPriority"]) == (f"{cluster.namespace}/urgent-0", 1000)
    assert leaving["successor"]["reason"] == "NoFreePartition"

    await cluster.create(cluster.pods_path, urgent)

    async def held() -> Object | None:
        claims = [one for one in await cluster.claims() if one["spec"]["podRef"]["name"] == "urgent"]
        return next((one for one in claims if one.get("status", {}).get("phase") == "Allocated"), None)

    (device,) = (await cluster.eventually("the urgent pod has a partition", held))["status"]["allocation"]["devices"]
    assert (device["bdf"], device["partition"]) == (place["bdf"], place["partition"])
    assert await cluster.find(f"{cluster.pods_path}/{leaving['pod'].partition('/')[2]}") is None
    await cluster.delete(f"/apis/scheduling.k8s.io/v1/priorityclasses/{name}")


def _in(obj: Object, namespace: str) -> Object:
    return obj | {"metadata": obj["metadata"] | {"namespace": namespace}}
