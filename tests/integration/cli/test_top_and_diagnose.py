"""`aim-gpu top` and `diagnose` on a running operator's cluster, for its administrator and for who may see little."""

import asyncio
import hashlib
import json
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from e2e.plane import Plane
from tests.controller.cli.terminal import Terminal
from tests.integration.cli.people import People, may
from tests.integration.cli.test_plan_verbs import AIM_GPU, aim_gpu
from tests.integration.operator.running import SMALL, Object, Running, opt_in, pod, running, service

pytestmark = [pytest.mark.plane, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

GPU_NODES = may(["list", "watch"], "aim.amd.com", "gpunodes")
SECRETS = {where: f"hunter2-{where}" for where in ("secret", "config", "env", "argument", "annotation", "label")}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A node of four partitions; pod `mine` of the test's namespace has one, pod `theirs` of another one, too."""
    async with running(plane, tmp_path_factory.mktemp("top"), {"a": "QPX/NPS1"}, gpus=1) as made:
        other = {"metadata": {"name": others(made)}}
        await made.create("/api/v1/namespaces", other)
        try:
            await made.create(made.pods_path, with_secrets(pod("mine", opt_in())))
            await made.create(made.pods_path.replace(made.namespace, others(made)), pod("theirs", opt_in()))
            await made.all_allocated(1)
            await made.eventually("theirs has a partition", lambda: held(made, others(made)))
            yield made
        finally:
            made.plane.admin.request("DELETE", made.pods_path.replace(made.namespace, others(made)))
            await made.delete(f"/api/v1/namespaces/{others(made)}")


@pytest.fixture
def people(cluster: Running, tmp_path: Path) -> Iterator[People]:
    made = People(cluster, tmp_path)
    yield made
    made.end()


def others(cluster: Running) -> str:
    return f"{cluster.namespace}-others"


def with_secrets(obj: Object) -> Object:
    """The same with a secret value wherever people put them."""
    obj["metadata"]["annotations"]["example.org/note"] = SECRETS["annotation"]
    obj["metadata"]["labels"] = {"example.org/owner": SECRETS["label"]}
    (container,) = obj["spec"]["containers"]
    container["env"] = [{"name": "HF_TOKEN", "value": SECRETS["env"]}]
    container["args"] = ["--api-key", SECRETS["argument"], "--max-model-len", "4096"]
    return obj


async def held(cluster: Running, namespace: str) -> Object | None:
    claims = await cluster.items(cluster.claims_path.replace(cluster.namespace, namespace))
    return next((one for one in claims if one.get("status", {}).get("phase") == "Allocated"), None)


async def owners(kubeconfig: Path, *arguments: str) -> tuple[dict[int, str | None], Any]:
    """Who holds each partition that is not free, by its number; and the whole answer."""
    answer = await aim_gpu(kubeconfig, "top", *arguments, "-o", "json")
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    (gpu,) = (gpu for node in told["nodes"] for gpu in node["gpus"])
    taken = (one for one in gpu["partitions"] if one["holder"] != "free")
    return {one["id"]: one["owner"] and f"{one['owner']['namespace']}/{one['owner']['pod']}" for one in taken}, told


async def place(cluster: Running, namespace: str) -> int:
    claim = await held(cluster, namespace)
    assert claim is not None
    (device,) = claim["status"]["allocation"]["devices"]
    number: int = device["partition"]
    return number


async def test_top_tells_who_holds_what(cluster: Running) -> None:
    node = cluster.names["a"]
    told, document = await owners(cluster.plane.kubeconfig, node)
    mine, theirs = await place(cluster, cluster.namespace), await place(cluster, others(cluster))
    assert told == {mine: f"{cluster.namespace}/mine", theirs: f"{others(cluster)}/theirs"}
    assert (document["nodes"][0]["name"], document["notes"]) == (node, [])
    page = await aim_gpu(cluster.plane.kubeconfig, "top", node, "--by", "partition")
    (line,) = (line for line in page.stdout.splitlines() if f"{cluster.namespace}/mine" in line)
    assert line.split()[:3] == [str(mine), "QPX/NPS1", "48.0G"]
    assert line.split()[-1] == SMALL
    assert page.stderr.startswith("1 node, 1 GPU, 4 partitions, 2 free, ")


async def test_who_has_rights_in_one_namespace_sees_its_owners_and_that_there_are_others(
    cluster: Running, people: People
) -> None:
    anna = await people.make("anna", view=cluster.namespace, everywhere=[GPU_NODES])
    mine, theirs = await place(cluster, cluster.namespace), await place(cluster, others(cluster))

    async def reported() -> bool:
        """The agent says who holds devices some moments after the claim."""
        return set((await owners(anna, cluster.names["a"]))[0]) == {mine, theirs}

    await cluster.eventually("the agent has told that both are held", reported)
    told, document = await owners(anna, cluster.names["a"])
    assert told == {mine: None, theirs: None}
    assert document["notes"][0].endswith("owners are not shown; -n NAMESPACE shows those of one")
    told, document = await owners(anna, cluster.names["a"], "-n", cluster.namespace)
    assert (told, document["notes"]) == ({mine: f"{cluster.namespace}/mine", theirs: None}, [])
    refused = await aim_gpu(anna, "top", "-n", others(cluster))
    assert (refused.returncode, "theirs" in refused.stdout) == (0, False)
    assert f"the right to list gpupartitionclaims in namespace {others(cluster)} is missing" in refused.stderr
    ben = await aim_gpu(await people.make("ben", view=cluster.namespace), "top")
    assert (ben.returncode, ben.stdout) == (1, "")
    assert 'cannot show the fleet: gpunodes.aim.amd.com is forbidden: User "ben" cannot list' in ben.stderr
    assert ben.stderr.endswith("; ask an administrator of the cluster for the right\n")


async def test_on_a_terminal_top_follows_what_one_may_see(cluster: Running, people: People) -> None:
    anna = await people.make("anna-looks", view=cluster.namespace, everywhere=[GPU_NODES])
    arguments = ("--kubeconfig", str(anna), "-n", cluster.namespace, "--interval", "1")
    terminal = Terminal(AIM_GPU, "top", cluster.names["a"], *arguments)
    try:
        await asyncio.to_thread(terminal.wait_for, f"{cluster.namespace}/mine")
        await cluster.create(cluster.pods_path, pod("comes", opt_in()))
        await asyncio.to_thread(terminal.wait_for, f"{cluster.namespace}/comes")
        await cluster.delete(f"{cluster.pods_path}/comes")
    finally:
        code = await asyncio.to_thread(terminal.end)
    assert (code, "Traceback" in terminal.shown, others(cluster) in terminal.shown) == (0, False, False)


async def test_a_bundle_has_what_helps_and_nothing_secret(cluster: Running, tmp_path: Path) -> None:
    core = f"/api/v1/namespaces/{cluster.namespace}"
    await cluster.create(f"{core}/secrets", {"metadata": {"name": "s"}, "stringData": {"key": SECRETS["secret"]}})
    await cluster.create(f"{core}/configmaps", {"metadata": {"name": "c"}, "data": {"key": SECRETS["config"]}})
    served = service("served", replicas=0)
    served["spec"]["predictor"]["containers"][0]["env"] = [{"name": "KEY", "value": SECRETS["env"]}]
    await cluster.create(cluster.services_path, served)
    said = await aim_gpu(cluster.plane.kubeconfig, "diagnose", "--out", str(tmp_path / "all.tar.gz"))
    assert said.returncode == 0, said.stderr
    files = unpacked(tmp_path / "all.tar.gz")
    whole = "\n".join(files.values())
    assert [where for where, value in SECRETS.items() if value in whole] == []
    assert "eyJ" not in whole, "no token of a ServiceAccount"
    kinds = {obj["kind"] for name, text in files.items() if name.startswith("objects/") for obj in objects(text)}
    assert kinds >= {"GPUNode", "GPUPartitionClaim", "InferenceService", "Node", "Pod", "Lease"}
    assert not {"Secret", "ConfigMap", "ServiceAccount"} & kinds
    (mine,) = (one for one in objects(files["objects/pods.yaml"]) if one["metadata"]["name"] == "mine")
    (container,) = mine["spec"]["containers"]
    assert {"name": "HF_TOKEN", "value": "<redacted>"} in container["env"]
    assert {variable.get("value", "<redacted>") for variable in container["env"]} == {"<redacted>"}
    assert container["args"] == ["--api-key", "<redacted>", "--max-model-len", "4096"]
    manifest = yaml.safe_load(files["manifest.yaml"])
    assert manifest["redacted"]["values of environment variables"] >= 2
    for told in manifest["files"]:
        assert hashlib.sha256(files[told["name"]].encode()).hexdigest() == told["sha256"]
    assert f"{tmp_path / 'all.tar.gz'}: {len(manifest['files'])} files; " in said.stderr


async def test_a_bundle_says_what_its_maker_may_not_read(cluster: Running, people: People, tmp_path: Path) -> None:
    anna = await people.make("anna-asks", view=cluster.namespace)
    of_one = ("-n", cluster.namespace, "--out", str(tmp_path / "one.tar.gz"))
    said = await aim_gpu(anna, "diagnose", *of_one)
    assert said.returncode == 0, said.stderr
    files = unpacked(tmp_path / "one.tar.gz")
    manifest = yaml.safe_load(files["manifest.yaml"])
    claims = objects(files["objects/gpupartitionclaims.aim.amd.com.yaml"])
    assert {claim["metadata"]["namespace"] for claim in claims} == {cluster.namespace}
    assert {"objects/nodes.yaml", "objects/gpunodes.aim.amd.com.yaml", "objects/pods.yaml"} & files.keys() == set()
    left_out = {each["what"]: each["why"] for each in manifest["leftOut"]}
    for what in ("nodes", "gpunodes.aim.amd.com", "pods", "events", "leases.coordination.k8s.io in aim-gpu-system"):
        assert left_out[what].startswith("not allowed: "), what
        assert 'User "anna-asks" cannot list' in left_out[what]
        assert f"left out: {what}: not allowed: " in said.stderr
    nobody = await aim_gpu(await people.make("nobody"), "diagnose", "--out", str(tmp_path / "none.tar.gz"))
    assert (nobody.returncode, (tmp_path / "none.tar.gz").exists()) == (1, False)
    assert "cannot diagnose the cluster: " in nobody.stderr


def unpacked(path: Path) -> dict[str, str]:
    """The files of a bundle by name, without its folder's."""
    with tarfile.open(path) as archive:
        members = [(one.name.partition("/")[2], archive.extractfile(one)) for one in archive.getmembers()]
        return {name: opened.read().decode() for name, opened in members if opened is not None}


def objects(text: str) -> list[Object]:
    found: list[Object] = [one for one in yaml.safe_load(text) if "kind" in one]
    return found
