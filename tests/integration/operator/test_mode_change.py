"""A mode change that a waiting claim needs: planned, done by the simulated agent, verified, and the pod bound."""

from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from e2e.plane import AdminError, Plane
from tests.integration.operator.running import AIM, LIMIT_SECONDS, Object, Running, deployment, opt_in, pod, running

pytestmark = pytest.mark.plane

STEPS = ["Draining", "Quiescing", "Applying", "Verifying"]
BIG = {"model": "Qwen/Qwen3-32B", "precision": "fp8", "max_concurrency": "2"}  # between a CPX and a QPX partition


def policy(**repartition: Any) -> Object:
    rules = {"enabled": True, "approval": "Auto", "cooldown": "1s"} | repartition
    return {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "GPUSharingPolicy",
        "metadata": {"name": "all"},
        "spec": {"validatedOnly": False, "repartition": rules},
    }


async def _plans(cluster: Running) -> list[Object]:
    return await cluster.items(f"{AIM}/repartitionplans")


async def _plan_in(cluster: Running, phase: str, limit: float = LIMIT_SECONDS) -> Object:
    async def found() -> Object | None:
        for plan in await _plans(cluster):
            if plan.get("status", {}).get("phase") == phase:
                return plan
        return None

    plan: Object = await cluster.eventually(f"a plan is {phase}", found, limit)
    return plan


async def _modes(cluster: Running, node: str = "a") -> list[str]:
    found = await cluster.get(f"{AIM}/gpunodes/{cluster.names[node]}")
    return [gpu["mode"] for gpu in found["status"]["gpus"]]


async def test_compute_mode_of_an_idle_gpu_is_changed_while_its_neighbour_is_busy(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "DPX/NPS1"}, gpus=2) as cluster:
        await cluster.rule(policy())
        await cluster.create(cluster.pods_path, pod("busy", opt_in(partition_mode="DPX/NPS1")))
        (busy,) = await cluster.all_allocated(1)
        await cluster.create(cluster.pods_path, pod("wants", opt_in(partition_mode="QPX/NPS1")))

        claims = await cluster.all_allocated(2)
        plan = await _plan_in(cluster, "Succeeded")
        assert [step["name"] for step in plan["status"]["steps"]][:4] == STEPS
        (changed,) = plan["spec"]["to"]["gpus"]
        assert changed["bdf"] != busy["status"]["allocation"]["devices"][0]["bdf"]
        assert sorted(await _modes(cluster)) == ["DPX/NPS1", "QPX/NPS1"]
        wanted = next(c for c in claims if c["spec"]["podRef"]["name"] == "wants")
        assert wanted["status"]["allocation"]["devices"][0]["mode"] == "QPX/NPS1"

        async def cleared() -> bool:
            found = await cluster.get(f"{AIM}/gpunodes/{cluster.names['a']}")
            return "operation" not in found["spec"]

        await cluster.eventually("the operation is taken off the node", cleared)


async def test_compute_mode_waits_for_a_busy_gpu(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "DPX/NPS1"}, gpus=1) as cluster:
        await cluster.rule(policy())
        await cluster.create(cluster.pods_path, pod("busy", opt_in(partition_mode="DPX/NPS1")))
        await cluster.all_allocated(1)
        await cluster.create(cluster.pods_path, pod("wants", opt_in(partition_mode="QPX/NPS1")))
        waiting = await cluster.claim_where(reason="NoPartitionFits")
        assert "no idle GPU" in waiting["status"]["explanation"]
        assert not await _plans(cluster)
        assert await _modes(cluster) == ["DPX/NPS1"]
        await cluster.delete(f"{cluster.pods_path}/busy")
        await _plan_in(cluster, "Succeeded")
        assert await _modes(cluster) == ["QPX/NPS1"]


async def test_memory_mode_needs_every_gpu_of_the_node_idle(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=2) as cluster:
        await cluster.rule(policy())
        await cluster.create(cluster.pods_path, pod("busy", opt_in()))
        await cluster.all_allocated(1)
        await cluster.create(cluster.pods_path, pod("wants", opt_in(partition_mode="DPX/NPS1")))
        await cluster.claim_where(reason="NoPartitionFits")
        assert not await _plans(cluster)

        of_one_gpu = await _half_a_memory_mode(cluster)
        failed = await _plan_in(cluster, "Failed")
        assert failed["status"]["conditions"][0]["reason"] == "MemoryModeIsNodeWide"
        assert (await cluster.get(f"{cluster.pods_path}/busy"))["metadata"].get("deletionTimestamp") is None
        await cluster.delete(of_one_gpu)

        await cluster.delete(f"{cluster.pods_path}/busy")
        plan = await _plan_in(cluster, "Succeeded")
        assert len(plan["spec"]["to"]["gpus"]) == 2
        assert sorted(await _modes(cluster)) == ["CPX/NPS1", "DPX/NPS1"]
        (claim,) = await cluster.all_allocated(1)
        assert claim["status"]["allocation"]["devices"][0]["mode"] == "DPX/NPS1"


async def test_an_idle_gpu_is_divided_for_small_models_before_one_takes_it_whole(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "SPX/NPS1"}, gpus=2) as cluster:
        await cluster.rule(policy())
        for name in ("first", "second"):
            await cluster.create(cluster.pods_path, pod(name, opt_in()))
        claims = await cluster.all_allocated(2)
        devices = [claim["status"]["allocation"]["devices"][0] for claim in claims]
        assert [device["mode"] for device in devices] == ["CPX/NPS1", "CPX/NPS1"]
        assert len({device["bdf"] for device in devices}) == 1
        assert sorted(await _modes(cluster)) == ["CPX/NPS1", "SPX/NPS1"]
        assert len(await _plans(cluster)) == 1


async def test_too_small_partitions_make_a_plan_for_the_smallest_that_fits(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS1"}, gpus=1) as cluster:
        await cluster.rule(policy())
        await cluster.create(cluster.pods_path, pod("big", opt_in(**BIG)))
        (claim,) = await cluster.all_allocated(1)
        assert claim["status"]["allocation"]["devices"][0]["mode"] == "QPX/NPS1"


async def test_without_a_policy_nothing_is_repartitioned(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS4"}, gpus=1) as cluster:
        await cluster.create(cluster.pods_path, pod("big", opt_in(**BIG)))

        async def told() -> bool:
            explained = [claim.get("status", {}).get("explanation", "") for claim in await cluster.claims()]
            return any("no policy with repartition.enabled" in text for text in explained)

        await cluster.eventually("the claim says that no policy allows a change", told)
        assert not await _plans(cluster)


async def test_manual_plan_waits_for_approval(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS1"}, gpus=1) as cluster:
        await cluster.rule(policy(approval="Manual"))
        await cluster.create(cluster.pods_path, pod("big", opt_in(**BIG)))
        plan = await _plan_in(cluster, "AwaitingApproval")
        assert "kubectl patch rpp" in plan["status"]["message"]
        assert await _modes(cluster) == ["CPX/NPS1"]
        await cluster.patch(f"{AIM}/repartitionplans/{plan['metadata']['name']}", {"spec": {"approved": True}})
        await _plan_in(cluster, "Succeeded")
        await cluster.all_allocated(1)


async def test_approved_plans_of_one_node_run_one_after_another_and_stale_ones_do_not(
    plane: Plane, tmp_path: Path
) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS1"}, gpus=1) as cluster:
        path = f"{AIM}/repartitionplans"
        for number, mode in enumerate(("DPX/NPS1", "QPX/NPS1")):
            gpu = (await cluster.get(f"{AIM}/gpunodes/{cluster.names['a']}"))["status"]["gpus"][0]["bdf"]
            layouts = {
                "from": {"gpus": [{"bdf": gpu, "mode": "CPX/NPS1"}]},
                "to": {"gpus": [{"bdf": gpu, "mode": mode}]},
            }
            await cluster.create(
                path,
                {
                    "apiVersion": "aim.amd.com/v1beta1",
                    "kind": "RepartitionPlan",
                    "metadata": {"name": f"by-hand-{number}-{cluster.namespace}"},
                    "spec": {"node": cluster.names["a"], "approval": "Auto", **layouts},
                },
            )

        async def ended() -> list[str] | None:
            phases = sorted(plan.get("status", {}).get("phase", "") for plan in await _plans(cluster))
            return phases if phases == ["Failed", "Succeeded"] else None

        await cluster.eventually("one plan succeeds, the one that starts from a layout of before fails", ended)
        failed = await _plan_in(cluster, "Failed")
        assert "the plan starts from CPX/NPS1; nothing was changed" in failed["status"]["message"]


async def test_a_plan_whose_claim_is_gone_is_not_applied(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS1"}, gpus=1) as cluster:
        await cluster.rule(policy(approval="Manual"))
        await cluster.create(cluster.pods_path, pod("big", opt_in(**BIG)))
        plan = await _plan_in(cluster, "AwaitingApproval")
        await cluster.delete(f"{cluster.pods_path}/big")
        ended = await _plan_in(cluster, "Failed")
        assert "is gone; nothing was changed" in ended["status"]["message"]
        await cluster.patch(f"{AIM}/repartitionplans/{plan['metadata']['name']}", {"spec": {"approved": True}})
        assert await _modes(cluster) == ["CPX/NPS1"]


async def _plan_by_hand(cluster: Running, modes: tuple[str, str], **spec: Any) -> str:
    """A plan that changes every GPU of node `a`; its path."""
    gpus = (await cluster.get(f"{AIM}/gpunodes/{cluster.names['a']}"))["status"]["gpus"]
    before, after = ({"gpus": [{"bdf": gpu["bdf"], "mode": mode} for gpu in gpus]} for mode in modes)
    name = f"by-hand-{cluster.namespace}"
    plan = {
        "apiVersion": "aim.amd.com/v1beta1",
        "kind": "RepartitionPlan",
        "metadata": {"name": name},
        "spec": {"node": cluster.names["a"], "from": before, "to": after, **spec},
    }
    await cluster.create(f"{AIM}/repartitionplans", plan)
    return f"{AIM}/repartitionplans/{name}"


async def _half_a_memory_mode(cluster: Running) -> str:
    """An approved plan that changes the memory mode and names one GPU of node `a`; its path."""
    gpu = (await cluster.get(f"{AIM}/gpunodes/{cluster.names['a']}"))["status"]["gpus"][0]["bdf"]
    before, after = ({"gpus": [{"bdf": gpu, "mode": mode}]} for mode in ("CPX/NPS4", "DPX/NPS1"))
    return await _plan_by_hand(cluster, ("CPX/NPS4", "DPX/NPS1"), approved=True, **{"from": before, "to": after})


async def _serving(cluster: Running) -> tuple[Object, Object]:
    """The only pod that serves, and its claim."""

    async def ready() -> tuple[Object, Object] | None:
        placed = [c for c in await cluster.claims() if c.get("status", {}).get("phase") == "Allocated"]
        claims = {c["spec"]["podRef"]["uid"]: c for c in placed}
        for one in await cluster.pods():
            conditions = {c["type"]: c["status"] for c in one.get("status", {}).get("conditions", ())}
            if conditions.get("Ready") == "True" and one["metadata"]["uid"] in claims:
                return one, claims[one["metadata"]["uid"]]
        return None

    found: tuple[Object, Object] = await cluster.eventually("a pod serves from its partition", ready)
    return found


async def _told(cluster: Running, word: str) -> bool:
    return any(word in claim.get("status", {}).get("explanation", "") for claim in await cluster.claims())


async def _on_a_with_room_on_b(cluster: Running) -> Object:
    """A Deployment's pod that serves from node `a`, which alone was open when it came."""
    await cluster.patch(f"/api/v1/nodes/{cluster.names['b']}", {"spec": {"unschedulable": True}})
    only_b = opt_in(partition_mode="DPX/NPS1")
    await cluster.create(cluster.pods_path, pod("probe", only_b))
    await cluster.eventually("the operator knows that b is closed", lambda: _told(cluster, "cordoned"))
    await cluster.delete(f"{cluster.pods_path}/probe")
    await cluster.create(cluster.deployments_path, deployment("web", 1, opt_in()))
    served, _ = await _serving(cluster)
    assert served["spec"]["nodeName"] == cluster.names["a"]
    await cluster.patch(f"/api/v1/nodes/{cluster.names['b']}", {"spec": {"unschedulable": False}})
    return served


async def test_an_approved_plan_moves_a_pod_to_the_place_kept_for_its_successor(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "SPX/NPS1", "b": "DPX/NPS1"}, gpus=1) as cluster:
        served = await _on_a_with_room_on_b(cluster)
        path = await _plan_by_hand(cluster, ("SPX/NPS1", "CPX/NPS1"))
        waiting = await _plan_in(cluster, "AwaitingApproval")

        async def told() -> Object | None:
            found: Object = (await cluster.get(path))["status"]
            return found if cluster.names["b"] in "".join(found["after"]) else None

        shown = await cluster.eventually("the plan tells where the pod would go", told)
        pod_name = f"{cluster.namespace}/{served['metadata']['name']}"
        assert [f"{one['namespace']}/{one['name']}" for one in shown["affectedPods"]] == [pod_name]
        assert shown["before"][0].startswith(f"{pod_name}: {cluster.names['a']}")
        assert waiting["status"]["reservations"] == []

        await cluster.patch(path, {"spec": {"approved": True}})
        ended = await _plan_in(cluster, "Succeeded", 60.0)
        assert await _modes(cluster) == ["CPX/NPS1"]
        successor, claim = await _serving(cluster)
        assert successor["metadata"]["uid"] != served["metadata"]["uid"]
        (device,) = claim["status"]["allocation"]["devices"]
        placed = f"{claim['status']['allocation']['node']} {device['bdf']}/{device['partition']} {device['mode']}"
        assert ended["status"]["after"] == [f"{pod_name}: {placed}"]

        async def tidy() -> bool:
            status = (await cluster.get(path))["status"]
            return not status["reservations"] and status["steps"][-1].get("result") == "Done"

        await cluster.eventually("the place is no longer kept", tidy)


async def test_a_disruption_budget_that_never_allows_leaves_everything_as_it_was(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "SPX/NPS1", "b": "DPX/NPS1"}, gpus=1) as cluster:
        served = await _on_a_with_room_on_b(cluster)
        budgets = f"/apis/policy/v1/namespaces/{cluster.namespace}/poddisruptionbudgets"
        spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
        await cluster.create(budgets, {"metadata": {"name": "web"}, "spec": spec})
        path = await _plan_by_hand(cluster, ("SPX/NPS1", "CPX/NPS1"), approved=True)

        async def refused() -> Object | None:
            status: Object = (await cluster.get(path)).get("status", {})
            return status if "waits for disruption budgets" in status.get("message", "") else None

        status = await cluster.eventually("the eviction is refused", refused)
        assert [one["node"] for one in status["reservations"]] == [cluster.names["b"]]
        await _began_long_ago(cluster, path)
        ended = await _plan_in(cluster, "Failed")
        assert "Draining took longer than 600 s" in ended["status"]["message"]
        assert ended["status"]["reservations"] == []
        assert await _modes(cluster) == ["SPX/NPS1"]
        (still,) = await cluster.pods()
        assert still["metadata"]["uid"] == served["metadata"]["uid"]
        assert "deletionTimestamp" not in still["metadata"]
        node = await cluster.get(f"/api/v1/nodes/{cluster.names['a']}")
        assert not [taint for taint in node["spec"].get("taints", ()) if "amd.com" in taint["key"]]


async def _began_long_ago(cluster: Running, path: str) -> None:
    """The plan's first step began so long ago that its deadline is over."""

    async def moved() -> bool:
        plan = await cluster.get(path)
        steps = plan["status"]["steps"]
        steps[0]["startTime"] = "2026-01-01T00:00:00Z"
        try:
            await cluster.patch(
                f"{path}/status",
                {"metadata": {"resourceVersion": plan["metadata"]["resourceVersion"]}, "status": {"steps": steps}},
            )
        except AdminError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            return False
        return True

    await cluster.eventually("the step's beginning is put back", moved)


async def test_a_plan_goes_back_on_request(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS1"}, gpus=1) as cluster:
        # a device plugin that nothing would bring back is not restarted, and so the plan waits in Verifying
        plugin = pod("plugin", {}, nodeName=cluster.names["a"])
        plugin["metadata"]["labels"] = {"name": "amdgpu-dp-ds"}
        await cluster.create(cluster.pods_path, plugin)
        path = await _plan_by_hand(cluster, ("CPX/NPS1", "SPX/NPS1"), approved=True)
        await _plan_in(cluster, "Verifying", 60.0)
        assert await _modes(cluster) == ["SPX/NPS1"]

        await cluster.patch(path, {"spec": {"rollback": True}})
        await _plan_in(cluster, "RollingBack", 60.0)
        await cluster.delete(f"{cluster.pods_path}/plugin")
        ended = await _plan_in(cluster, "RolledBack", 60.0)
        assert await _modes(cluster) == ["CPX/NPS1"]
        results = [step["result"] for step in ended["status"]["steps"] if step["name"] != "Closing"]
        assert results[-2:] == ["Cancelled", "Restored"]
