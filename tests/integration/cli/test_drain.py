"""`aim-gpu drain` on a running operator's cluster: real evictions, within a real disruption budget."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from e2e.plane import Plane
from tests.integration.cli.people import People, interrupted, may
from tests.integration.cli.test_plan_verbs import AIM_GPU, aim_gpu
from tests.integration.operator.running import Object, Running, deployment, opt_in, pod, running

pytestmark = [pytest.mark.plane, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

WIDE = ("-o", "wide")
READS = (
    may(["list", "watch", "get"], "", "nodes", "pods", "namespaces"),
    may(["list", "watch"], "coordination.k8s.io", "leases"),
    may(["list", "watch"], "resource.k8s.io", "resourceclaims"),
    may(["list", "watch"], "aim.amd.com", "*"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """Two nodes of two partitions each."""
    async with running(plane, tmp_path_factory.mktemp("drain"), {"a": "DPX/NPS1", "b": "DPX/NPS1"}, gpus=1) as made:
        yield made


@pytest.fixture
def people(cluster: Running, tmp_path: Path) -> Iterator[People]:
    made = People(cluster, tmp_path)
    yield made
    made.end()


async def cordoned(cluster: Running, short: str) -> bool:
    node = await cluster.get(f"/api/v1/nodes/{cluster.names[short]}")
    return bool(node["spec"].get("unschedulable"))


async def cordon(cluster: Running, short: str, *, on: bool) -> None:
    await cluster.patch(f"/api/v1/nodes/{cluster.names[short]}", {"spec": {"unschedulable": on}})


async def chat(cluster: Running) -> dict[str, str]:
    """The node of each pod of the Deployment that serves, by the pod's name."""
    return {
        one["metadata"]["name"]: one["spec"]["nodeName"]
        for one in await cluster.pods()
        if one["metadata"].get("labels", {}).get("app") == "chat"
        and "deletionTimestamp" not in one["metadata"]
        and one["status"].get("phase") == "Running"
    }


async def serving(cluster: Running, count: int) -> dict[str, str]:
    async def found() -> dict[str, str] | None:
        here = await chat(cluster)
        return here if len(here) == count else None

    here: dict[str, str] = await cluster.eventually(f"{count} pods of chat serve", found)
    return here


async def runs_on(cluster: Running, name: str) -> str:
    """The node of a pod; "" while it does not run."""
    found = await cluster.get(f"{cluster.pods_path}/{name}")
    return str(found["spec"]["nodeName"]) if found["status"].get("phase") == "Running" else ""


async def budget(cluster: Running, at_least: int) -> None:
    """So many pods of chat have to serve; returns once the API server knows what that allows."""
    path = f"/apis/policy/v1/namespaces/{cluster.namespace}/poddisruptionbudgets"
    if await cluster.find(f"{path}/chat") is None:
        spec = {"minAvailable": at_least, "selector": {"matchLabels": {"app": "chat"}}}
        await cluster.create(path, {"metadata": {"name": "chat"}, "spec": spec})
    else:
        await cluster.patch(f"{path}/chat", {"spec": {"minAvailable": at_least}})

    async def seen() -> bool:
        found = await cluster.get(f"{path}/chat")
        status: Object = found.get("status", {})
        known = status.get("observedGeneration") == found["metadata"]["generation"]
        return bool(known and status.get("currentHealthy") == 2 and status.get("disruptionsAllowed") == 2 - at_least)

    await cluster.eventually("the budget is counted", seen)


async def test_a_node_is_drained_as_its_budget_allows(cluster: Running, people: People) -> None:
    kubeconfig, node = cluster.plane.kubeconfig, cluster.names["a"]
    await cordon(cluster, "b", on=True)
    await cluster.create(cluster.deployments_path, deployment("chat", 2, opt_in()))
    before = await serving(cluster, 2)
    assert set(before.values()) == {node}
    await cordon(cluster, "b", on=False)
    await budget(cluster, 2)

    looked = await aim_gpu(kubeconfig, "drain", node, "--dry-run", *WIDE)
    assert looked.returncode == 0, looked.stderr
    for name in before:
        (line,) = (line for line in looked.stdout.splitlines() if f"/{name} " in line)
        assert f"its successor gets {cluster.names['b']} " in line
        assert line.endswith("; a disruption budget keeps it at the moment")
    assert looked.stderr == f"node {node}: 2 pods to evict, 2 with a place elsewhere\na dry run: nothing was changed\n"
    assert (await chat(cluster), await cordoned(cluster, "a")) == (before, False)

    await _whose_rights_do_not_suffice(cluster, people, before)

    kept = await aim_gpu(kubeconfig, "drain", node, "--yes", "--limit", "2", *WIDE)
    assert kept.returncode == 1
    why = "The disruption budget chat needs 2 healthy pods and has 2 currently"
    for name in before:
        assert f"pod {cluster.namespace}/{name} stays for now: {why}\n" in kept.stderr
    assert kept.stderr.splitlines()[-1].startswith(f"error: after 2 s pod {cluster.namespace}/")
    assert f"stays: {why}; node {node} stays cordoned: run it again to go on, or kubectl uncordon {node}" in kept.stderr
    assert (await chat(cluster), await cordoned(cluster, "a")) == (before, True)

    await _goes_on(cluster, before)


async def _whose_rights_do_not_suffice(cluster: Running, people: People, before: dict[str, str]) -> None:
    """Nobody is touched by somebody who may not look, nor by one who may look alone."""
    node = cluster.names["a"]
    nobody = await aim_gpu(await people.make("nobody"), "drain", node, "--yes")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert f"cannot drain node {node}: the right to list gpunodes.aim.amd.com, gpupartitionclaims" in nobody.stderr
    viewer = await aim_gpu(await people.make("viewer", everywhere=READS), "drain", node, "--yes", *WIDE)
    assert viewer.returncode == 1
    assert "the right to list replicasets.apps is missing: a moved pod counts as replaced" in viewer.stderr
    assert "the right to list poddisruptionbudgets.policy is missing: pods are shown to leave" in viewer.stderr
    assert f'cannot drain node {node}: nodes "{node}" is forbidden: User "viewer" cannot patch' in viewer.stderr
    assert (await chat(cluster), await cordoned(cluster, "a")) == (before, False)


async def _goes_on(cluster: Running, before: dict[str, str]) -> None:
    """One at a time, once the budget lets one go: the second as soon as the first one's successor serves."""
    kubeconfig, node = cluster.plane.kubeconfig, cluster.names["a"]
    await budget(cluster, 1)
    shown = json.loads((await aim_gpu(kubeconfig, "drain", node, "--dry-run", "-o", "json")).stdout)
    assert (shown["cordoned"], [each["keptByBudget"] for each in shown["pods"]]) == (True, [False, True])
    done = await aim_gpu(kubeconfig, "drain", node, "--yes", "--limit", "50")
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("pod ")]
    first, second = (f"pod {each['pod']}" for each in shown["pods"])
    assert told.index(f"{first} evicted") < told.index(f"{second} evicted")
    assert any(line.startswith(f"{second} stays for now: The disruption budget chat needs 1 healthy") for line in told)
    assert done.stderr.splitlines()[-1].startswith(f"node {node} is drained of models: kubectl uncordon {node}")
    after = await serving(cluster, 2)
    assert set(after.values()) == {cluster.names["b"]}
    assert not after.keys() & before.keys()
    again = await aim_gpu(kubeconfig, "drain", node)
    assert again.returncode == 0, again.stderr
    assert f"node {node} (cordoned): 0 pods to evict" in again.stderr


async def test_ctrl_c_says_where_it_stands_and_another_run_goes_on(cluster: Running) -> None:
    kubeconfig, node = cluster.plane.kubeconfig, cluster.names["b"]
    await cordon(cluster, "a", on=False)
    await budget(cluster, 2)
    process = await asyncio.create_subprocess_exec(
        *(str(AIM_GPU), "drain", node, "--yes", "--kubeconfig", str(kubeconfig)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    told = await interrupted(process, "stays for now")
    assert (process.returncode, "Traceback" in told) == (130, False)
    assert told.splitlines()[-1] == f"node {node} stays cordoned: run it again to go on, or kubectl uncordon {node}"
    assert set((await serving(cluster, 2)).values()) == {node}

    await cluster.delete(f"/apis/policy/v1/namespaces/{cluster.namespace}/poddisruptionbudgets/chat")
    done = await aim_gpu(kubeconfig, "drain", node, "--yes", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert len([line for line in json.loads(done.stdout)["done"] if line.endswith(" evicted")]) == 2
    assert set((await serving(cluster, 2)).values()) == {cluster.names["a"]}


async def test_who_would_be_lost_is_not_evicted_unless_somebody_says_so(cluster: Running) -> None:
    kubeconfig, node = cluster.plane.kubeconfig, cluster.names["b"]
    await cordon(cluster, "b", on=False)
    await cluster.create(cluster.pods_path, pod("alone", opt_in()))
    assert await cluster.eventually("the lone pod runs", lambda: runs_on(cluster, "alone")) == node
    refused = await aim_gpu(kubeconfig, "drain", node, "--yes")
    assert refused.returncode == 1
    assert f"no controller makes {cluster.namespace}/alone anew: delete them by hand, or give --force" in refused.stderr
    assert not await cordoned(cluster, "b")
    assert (await aim_gpu(kubeconfig, "drain", node, "--yes", "--force")).returncode == 0
    assert await cluster.find(f"{cluster.pods_path}/alone") is None
