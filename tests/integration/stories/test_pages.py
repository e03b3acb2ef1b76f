"""Commands of pages are answered on a cluster, with nothing on stderr; manifests of pages and examples are taken there."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from e2e.plane import Plane
from tests.builders.model_profile import model_profile
from tests.docs.blocks import COMMANDS, ROOT, blocks, pages, statements
from tests.docs.treatments import ON_CLUSTER, left_out, treatment
from tests.integration.operator.running import AIM, Object, Running, running, service
from tests.integration.stories.manifests import ALL, FOREIGN, create_dry

pytestmark = [pytest.mark.plane, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

#: What commands say of somebody else's mistakes, and not of the command: nothing is asked of these.
HARMLESS = re.compile(r"^(?:No resources found.*|Warning: .*|Edit cancelled, no changes made\.|)$")
POLICY: Object = {
    "apiVersion": "aim.amd.com/v1beta1",
    "kind": "GPUSharingPolicy",
    "metadata": {"name": "pages"},
    "spec": {"validatedOnly": False, "repartition": {"enabled": True, "approval": "Manual"}},
}
NAMESPACES = ("monitoring", "team-a")
"""Namespaces that pages speak of."""
LEASE: Object = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "aim-gpu-operator", "namespace": "aim-gpu-system"},
    "spec": {"holderIdentity": "a"},
}
"""The operator of this cluster is alone and holds none."""
WHOLE = sorted(
    str(page.relative_to(ROOT))
    for page in pages()
    if any(treatment(block) == ON_CLUSTER and block.language in COMMANDS for block in blocks(page))
)


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster on which something runs, something waits and something is to be approved; and what it is called."""

    cluster: Running
    words: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """One node: a service that runs, one that waits for a mode, a plan for it, and a profile."""
    async with running(plane, tmp_path_factory.mktemp("pages"), {"gpu-a": "SPX/NPS1"}, gpus=4) as cluster:
        profile = model_profile("pages")
        profile["metadata"] = {"name": "pages"}
        try:
            # applied: an operator of other tests on this cluster may have left its Lease
            await asyncio.to_thread(plane.admin.apply, [*map(_namespace, NAMESPACES), LEASE])
            await cluster.rule(POLICY)
            await cluster.create(f"{AIM}/modelprofiles", profile)
            await cluster.create(cluster.services_path, service("my-first"))
            await cluster.create(
                cluster.services_path, service("waits", gpuSharing={"partition": {"mode": "QPX/NPS1"}})
            )
            (held,) = await cluster.all_allocated(1)

            async def asks() -> Object | None:
                plans = await cluster.items(f"{AIM}/repartitionplans")
                return next((one for one in plans if one.get("status", {}).get("phase") == "AwaitingApproval"), None)

            plan = await cluster.eventually("a plan waits for a person", asks)
            words = {
                "NAMESPACE": cluster.namespace,
                "NODE": cluster.names["gpu-a"],
                "NAME": held["metadata"]["name"],
                "POD": held["spec"]["podRef"]["name"],
                "SERVICE": "my-first",
                "PROFILE": profile["metadata"]["name"],
                "MODEL": "Qwen/Qwen3-8B",
                "PLAN": plan["metadata"]["name"],
            }
            yield Site(cluster, words)
        finally:
            await cluster.delete(f"{AIM}/modelprofiles/{profile['metadata']['name']}")
            await cluster.delete(plane.admin.path_of(LEASE))
            await cluster.delete(f"{AIM}/namespaces/default/inferenceservices/my-first")
            await cluster.delete("/apis/apps/v1/namespaces/default/deployments/my-second")
            for name in NAMESPACES:
                await cluster.delete(f"/api/v1/namespaces/{name}")
            for name in NAMESPACES:  # others on this cluster make them too
                await cluster.eventually(f"namespace {name} is gone", partial(_gone, cluster, name))


async def _gone(cluster: Running, namespace: str) -> bool:
    return await cluster.find(f"/api/v1/namespaces/{namespace}") is None


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


async def answer(command: str, site: Site, home: Path) -> tuple[int, str]:
    """A command's exit code, and what it said on stderr."""
    for word, value in site.words.items():
        command = re.sub(rf"\b{word}\b", value, command)
    command = command.replace("gpu-a ", f"{site.words['NODE']} ").replace(
        "-n team-chat", f"-n {site.words['NAMESPACE']}"
    )
    process = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-u", "-o", "pipefail", "-c", command),
        cwd=ROOT,
        env={
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "KUBECONFIG": str(site.cluster.plane.kubeconfig),
            "EDITOR": "true",
            "COLUMNS": "200",
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.parametrize("page", WHOLE)
async def test_commands_of_a_page_are_answered(page: str, site: Site, tmp_path: Path) -> None:
    for block in blocks(ROOT / page):
        if block.language not in COMMANDS or treatment(block) != ON_CLUSTER:
            continue
        variables = ""
        for command in statements(block.text):
            if left_out(command):
                continue
            code, said = await answer(variables + command, site, tmp_path)
            wrong = [line for line in said.splitlines() if not HARMLESS.match(line)]
            assert wrong == [], f"{block}: {command}"
            assert code == 0 or (code == 1 and "grep" in command), f"{block}: {command}: {said}"
            variables += f"{command}\n" if re.match(r"[A-Z]+=", command) else ""


async def test_a_command_that_is_wrong_is_noticed(site: Site, tmp_path: Path) -> None:
    for command in (
        "kubectl get gpx",
        "aim-gpu explain claim/none -n NAMESPACE",
        "kubectl get gpc -n NAMESPACE none | grep x",
    ):
        code, said = await answer(command, site, tmp_path)
        assert code != 0
        assert said


@pytest.mark.parametrize(("where", "obj"), ALL, ids=[where for where, _ in ALL])
async def test_a_manifest_is_taken_and_no_field_of_it_is_unknown(where: str, obj: Object, site: Site) -> None:
    if obj["apiVersion"].partition("/")[0] in FOREIGN:
        assert "kserve" in where or "team-search" in where
        return
    status, message = await asyncio.to_thread(create_dry, site.cluster.plane, obj)
    assert status == 201, f"{where}: {message}"


async def test_an_unknown_field_is_noticed(site: Site) -> None:
    status, message = await asyncio.to_thread(create_dry, site.cluster.plane, POLICY | {"spec": {"scorers": "x"}})
    assert status == 400
    assert "scorers" in message


async def test_most_pages_of_commands_are_here() -> None:
    assert len(WHOLE) > 30
    assert len(ALL) > 40
