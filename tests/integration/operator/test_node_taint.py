"""A mode change on a node that its policy wants tainted: strangers stay away; our pods and AMD's plugins come."""

from http import HTTPStatus
from pathlib import Path

import pytest

from e2e.plane import AdminError, Plane
from tests.integration.node_plugins.conftest import daemon_set, pods_of, ready
from tests.integration.operator.running import AIM, Object, Running, deployment, opt_in, pod, running

pytestmark = [pytest.mark.plane, pytest.mark.timeout(180)]

KEY = "aim.amd.com/repartitioning"
THEIRS = {"key": "example.com/slow", "value": "disk", "effect": "PreferNoSchedule"}
POLICY: Object = {
    "apiVersion": "aim.amd.com/v1beta1",
    "kind": "GPUSharingPolicy",
    "metadata": {"name": "all"},
    "spec": {"validatedOnly": False, "repartition": {"enabled": True, "taintNode": True}},
}
LIMIT_SECONDS = 60.0


async def test_a_taint_keeps_strangers_off_and_lets_a_successor_and_amds_plugin_come(
    plane: Plane, tmp_path: Path
) -> None:
    async with running(plane, tmp_path, {"a": "SPX/NPS1"}, gpus=2) as cluster:
        await cluster.rule(POLICY)
        managed = {"aim.amd.com/managed": "true"}
        sets = f"/apis/apps/v1/namespaces/{cluster.namespace}/daemonsets"
        await cluster.create(
            sets, daemon_set("plugin", {"run": "plugin"}, "rocm/k8s-device-plugin", nodeSelector=managed)
        )
        await cluster.create(cluster.deployments_path, deployment("web", 1, opt_in()))
        first, place = await _serving(cluster)
        budget = f"/apis/policy/v1/namespaces/{cluster.namespace}/poddisruptionbudgets"
        spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
        await cluster.create(budget, {"metadata": {"name": "web"}, "spec": spec})

        plan = await _plan(cluster, place["bdf"])
        await _taints(cluster, "the node is tainted", [_ours(plan)])
        await _taint_too(cluster)
        stranger = pod("stranger", {}, nodeSelector={"kubernetes.io/hostname": cluster.names["a"]})
        await cluster.create(cluster.pods_path, stranger)
        await _kept_off(cluster)
        await cluster.delete(f"{budget}/web")

        async def succeeded() -> bool:
            return bool((await cluster.get(f"{AIM}/repartitionplans/{plan}"))["status"]["phase"] == "Succeeded")

        await cluster.eventually("the plan succeeds", succeeded, LIMIT_SECONDS)
        await _taints(cluster, "the taint is off, and that of others is not", [THEIRS])
        second, other = await _serving(cluster)
        assert second["metadata"]["uid"] != first["metadata"]["uid"]
        assert other["bdf"] != place["bdf"]
        assert KEY in [one.get("key") for one in second["spec"]["tolerations"]]
        assert ready(pods_of(plane, cluster.namespace, "plugin", cluster.names["a"]))

        async def runs() -> bool:
            return bool((await cluster.get(f"{cluster.pods_path}/stranger"))["status"]["phase"] == "Running")

        await cluster.eventually("the stranger runs", runs, LIMIT_SECONDS)
        await cluster.delete(f"{sets}/plugin")


def _ours(plan: str) -> Object:
    return {"key": KEY, "value": plan, "effect": "NoSchedule"}


async def _plan(cluster: Running, bdf: str) -> str:
    """An approved plan that changes one GPU; its name."""
    name = f"taints-{cluster.namespace}"
    layouts = {
        where: {"gpus": [{"bdf": bdf, "mode": mode}]} for where, mode in (("from", "SPX/NPS1"), ("to", "CPX/NPS1"))
    }
    await cluster.create(
        f"{AIM}/repartitionplans",
        {
            "apiVersion": "aim.amd.com/v1beta1",
            "kind": "RepartitionPlan",
            "metadata": {"name": name},
            "spec": {"node": cluster.names["a"], "approved": True, **layouts},
        },
    )
    return name


async def _serving(cluster: Running) -> tuple[Object, Object]:
    """The Deployment's only pod once it is Ready, and its device."""

    async def found() -> tuple[Object, Object] | None:
        placed = [claim for claim in await cluster.claims() if claim.get("status", {}).get("phase") == "Allocated"]
        devices = {claim["spec"]["podRef"]["uid"]: claim["status"]["allocation"]["devices"][0] for claim in placed}
        pods = [one for one in await cluster.pods() if one["metadata"].get("labels", {}).get("app") == "web"]
        living = [one for one in pods if ready([one]) and "deletionTimestamp" not in one["metadata"]]
        return (living[0], devices[living[0]["metadata"]["uid"]]) if len(living) == len(devices) == 1 else None

    one: tuple[Object, Object] = await cluster.eventually("a pod of web serves", found, LIMIT_SECONDS)
    return one


async def _node(cluster: Running) -> Object:
    return await cluster.get(f"/api/v1/nodes/{cluster.names['a']}")


async def _taints(cluster: Running, what: str, wanted: list[Object]) -> None:
    async def so() -> bool:
        return bool((await _node(cluster))["spec"].get("taints", []) == wanted)

    await cluster.eventually(what, so, LIMIT_SECONDS)


async def _taint_too(cluster: Running) -> None:
    """Somebody else adds a taint, as `kubectl taint` does: the whole list, over the version that was read."""

    async def added() -> bool:
        node = await _node(cluster)
        taints = [*node["spec"].get("taints", []), THEIRS]
        patch = {
            "metadata": {"resourceVersion": node["metadata"]["resourceVersion"]},
            "spec": {"taints": taints},
        }
        try:
            await cluster.patch(f"/api/v1/nodes/{cluster.names['a']}", patch)
        except AdminError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            return False
        return True

    await cluster.eventually("a taint of others is on the node, too", added, LIMIT_SECONDS)


async def _kept_off(cluster: Running) -> None:
    """The scheduler says of the stranger that it does not tolerate the taint."""

    async def told() -> bool:
        status = (await cluster.get(f"{cluster.pods_path}/stranger")).get("status", {})
        refusals = [one.get("message", "") for one in status.get("conditions", ()) if one["type"] == "PodScheduled"]
        return any("untolerated taint" in refusal for refusal in refusals)

    await cluster.eventually("the stranger is kept off by the taint", told, LIMIT_SECONDS)
