"""approve and rollback against a running operator: a person's word lets a plan run, and takes it back."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.plane import Plane
from tests.integration.operator.running import AIM, Object, Running, deployment, opt_in, pod, running

pytestmark = pytest.mark.plane

AIM_GPU = Path(sys.executable).with_name("aim-gpu")
POLICY: Object = {
    "apiVersion": "aim.amd.com/v1beta1",
    "kind": "GPUSharingPolicy",
    "metadata": {"name": "all"},
    "spec": {"validatedOnly": False, "repartition": {"enabled": True, "approval": "Manual", "cooldown": "0s"}},
}


async def aim_gpu(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as it is installed, with nobody at a terminal."""
    command = [str(AIM_GPU), *arguments, "--kubeconfig", str(kubeconfig)]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
    )


def of_somebody(kubeconfig: Path, folder: Path) -> Path:
    """The same cluster for a user without any right."""
    content = yaml.safe_load(kubeconfig.read_text())
    for entry in content["users"]:
        entry["user"] |= {"as": "somebody"}
    path = folder / "somebody"
    path.write_text(yaml.safe_dump(content))
    return path


async def plan_in(cluster: Running, phase: str, name: str | None = None) -> Object:
    async def found() -> Object | None:
        plans = await cluster.items(f"{AIM}/repartitionplans")
        wanted = (plan for plan in plans if name in (None, plan["metadata"]["name"]))
        return next((plan for plan in wanted if plan.get("status", {}).get("phase") == phase), None)

    plan: Object = await cluster.eventually(f"plan {name or ''} is {phase}", found, 60.0)
    return plan


async def modes(cluster: Running) -> list[str]:
    found = await cluster.get(f"{AIM}/gpunodes/{cluster.names['a']}")
    return [gpu["mode"] for gpu in found["status"]["gpus"]]


async def test_a_plan_runs_and_goes_back_on_a_persons_word(plane: Plane, tmp_path: Path) -> None:
    async with running(plane, tmp_path, {"a": "CPX/NPS1", "b": "CPX/NPS1"}, gpus=1) as cluster:
        only_a = {"nodeSelector": {"matchLabels": {"kubernetes.io/hostname": cluster.names["a"]}}}
        await cluster.rule(POLICY | {"spec": POLICY["spec"] | only_a})
        await cluster.create(cluster.deployments_path, deployment("chat", 1, opt_in()))
        (held,) = await cluster.all_allocated(1)
        assert held["status"]["allocation"]["node"] == cluster.names["a"]
        await cluster.create(cluster.pods_path, pod("wants", opt_in(partition_mode="SPX/NPS1")))
        name = (await plan_in(cluster, "AwaitingApproval"))["metadata"]["name"]

        refused = await aim_gpu(of_somebody(plane.kubeconfig, tmp_path), "approve", name, "--yes")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert f"cannot approve plan {name}: repartitionplans.aim.amd.com" in refused.stderr

        approved: Any = await aim_gpu(plane.kubeconfig, "approve", name, "--yes", "-o", "json")
        assert approved.returncode == 0, approved.stderr
        told = json.loads(approved.stdout)
        assert [(gpu["from"], gpu["to"]) for gpu in told["gpus"]] == [("CPX/NPS1", "SPX/NPS1")]
        (moves,) = told["pods"]
        assert (moves["before"].split()[0], moves["after"].split()[0]) == (cluster.names["a"], cluster.names["b"])
        await plan_in(cluster, "Succeeded", name)
        places = {
            claim["spec"]["podRef"]["name"].partition("-")[0]: claim["status"]["allocation"]["node"]
            for claim in await cluster.all_allocated(2)
        }
        assert places == {"wants": cluster.names["a"], "chat": cluster.names["b"]}

        await cluster.delete(f"{cluster.pods_path}/wants")
        back = await aim_gpu(plane.kubeconfig, "rollback", name, "--yes", "-o", "json")
        assert back.returncode == 0, back.stderr
        assert json.loads(back.stdout)["plan"] == f"{name}-back"
        await plan_in(cluster, "Succeeded", f"{name}-back")
        assert await modes(cluster) == ["CPX/NPS1"]
