"""`aim-gpu diagnose` before a fake API server: what is in the bundle, what is not, and that it says so."""

import hashlib
import json
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.cli.bundle import Bundle
from controller.runtime.client.core import EVENTS, PODS, SECRETS
from tests.builders.pod import pod
from tests.controller.cli.fleet_command import Ask, asking
from tests.controller.cli.fleet_scene import SERVED, FleetServer

SECRET = "s3cr3t-value-of-somebody"


@pytest.fixture
async def server() -> AsyncIterator[FleetServer]:
    api = FleetServer()
    async with api:
        operator = pod("aim-gpu-operator-0", namespace="aim-gpu-system", claim=None, gates=(), phase="Running")
        operator["metadata"]["labels"] = {"app.kubernetes.io/part-of": "aim-gpu-sharing"}
        operator["spec"]["containers"][0]["env"] = [{"name": "X", "value": SECRET}]
        operator["status"]["containerStatuses"] = [{"name": "main", "ready": True, "restartCount": 1}]
        api.put(PODS, operator)
        bare = pod("web-0", namespace="default", claim=None, gates=(), annotations={})
        api.put(PODS, bare)
        api.put(SECRETS, {"metadata": {"name": "hub", "namespace": "team-a"}, "data": {"token": SECRET}})
        for name, namespace in (("chat-0", "team-a"), ("web-0", "default")):
            regarding = {"kind": "Pod", "namespace": namespace, "name": name}
            about = {"regarding": regarding, "reason": "Failed", "note": f"token={SECRET}", "eventTime": "2026-01-01"}
            api.put(EVENTS, {"metadata": {"name": f"{name}.1", "namespace": namespace}, **about})
        yield api


@pytest.fixture
def ask(server: FleetServer, tmp_path: Path) -> Ask:
    return asking(server, tmp_path)


def opened(path: Path) -> dict[str, bytes]:
    """The files of a bundle by name."""
    with tarfile.open(path) as archive:
        found = {member.name: archive.extractfile(member) for member in archive}
        return {name.partition("/")[2]: file.read() for name, file in found.items() if file is not None}


async def test_a_bundle_holds_what_is_needed_and_no_secret(server: FleetServer, ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "b.tar.gz"
    told = await ask("diagnose", "--out", str(path))
    assert told.exit_code == 0, told.stderr
    files = opened(path)
    assert SECRET not in b"".join(files.values()).decode()
    assert b"hf_abcdefghijklmnop" not in files["logs/aim-gpu-operator-0-main.log"]
    assert {"versions.yaml", "events.yaml", "objects/nodes.yaml", "objects/pods.yaml"} <= set(files)
    assert "logs/aim-gpu-operator-0-main-previous.log" in files
    claims = yaml.safe_load(files["objects/gpupartitionclaims.aim.amd.com.yaml"])
    assert len(claims) == 5
    assert claims[0]["status"]["phase"]
    assert not [seen for seen in server.seen if "secrets" in seen.path or "configmaps" in seen.path]
    assert not [seen for seen in server.seen if seen.method != "GET"]
    assert path.stat().st_mode & 0o077 == 0


async def test_only_pods_and_events_of_ours_are_in_it(ask: Ask, tmp_path: Path) -> None:
    await ask("diagnose", "--out", str(tmp_path / "b.tar.gz"))
    files = opened(tmp_path / "b.tar.gz")
    names = {each["metadata"]["name"] for each in yaml.safe_load(files["objects/pods.yaml"])}
    assert "chat-0" in names
    assert "aim-gpu-operator-0" in names
    assert "web-0" not in names
    assert [each["regarding"]["name"] for each in yaml.safe_load(files["events.yaml"])] == ["chat-0"]


async def test_the_manifest_says_what_is_in_it_what_is_not_and_why(
    server: FleetServer, ask: Ask, tmp_path: Path
) -> None:
    server.forbidden = {"nodes", "log"}
    told = await ask("diagnose", "--out", str(tmp_path / "b.tar.gz"), "-o", "json")
    assert told.exit_code == 0
    files = opened(tmp_path / "b.tar.gz")
    manifest: dict[str, Any] = yaml.safe_load(files.pop("manifest.yaml"))
    assert json.loads(told.stdout) == {"file": str(tmp_path / "b.tar.gz")} | manifest
    assert {each["name"]: each["sha256"] for each in manifest["files"]} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }
    left_out = {each["what"]: each["why"] for each in manifest["leftOut"]}
    assert left_out["nodes"].startswith("not allowed: nodes is forbidden")
    assert left_out["logs/aim-gpu-operator-0-main.log"].startswith("not allowed")
    assert left_out["inferenceservices.serving.kserve.io of KServe"] == "the API server does not have it"
    assert "1 ask for no partition" in left_out["other pods"]
    assert manifest["redacted"]["values of environment variables"] == 1
    assert "Secrets" in manifest["never"]


async def test_one_namespace_is_enough(server: FleetServer, ask: Ask, tmp_path: Path) -> None:
    told = await ask("diagnose", "-n", "team-b", "--no-logs", "--out", str(tmp_path / "b.tar.gz"))
    assert "left out: logs: --no-logs" in told.stderr
    told = await ask("diagnose", "-n", "team-x", "--out", str(tmp_path / "c.tar.gz"))
    assert (told.exit_code, (tmp_path / "c.tar.gz").exists()) == (2, False)
    assert "-n: no namespace is called 'team-x'" in told.stderr
    asked = {seen.path for seen in server.seen if "gpupartitionclaims" in seen.path}
    assert asked == {"/apis/aim.amd.com/v1beta1/namespaces/team-b/gpupartitionclaims"}


async def test_a_file_that_is_there_is_not_written_over_and_nothing_read_for_it(
    server: FleetServer, ask: Ask, tmp_path: Path
) -> None:
    (tmp_path / "b.tar.gz").write_text("mine")
    told = await ask("diagnose", "--out", str(tmp_path / "b.tar.gz"))
    assert told.exit_code == 2
    assert "is there already; name another file" in told.stderr
    assert (tmp_path / "b.tar.gz").read_text() == "mine"
    told = await ask("diagnose", "--out", str(tmp_path / "nowhere" / "b.tar.gz"))
    assert told.exit_code == 2
    assert f"--out: {tmp_path / 'nowhere'} is no folder; name a file elsewhere" in told.stderr
    assert not server.seen


async def test_who_may_list_nothing_is_told_so_and_gets_no_bundle(
    server: FleetServer, ask: Ask, tmp_path: Path
) -> None:
    server.forbidden = {each.plural for each in SERVED}
    told = await ask("diagnose", "--out", str(tmp_path / "b.tar.gz"))
    assert (told.exit_code, (tmp_path / "b.tar.gz").exists()) == (1, False)
    assert "cannot diagnose the cluster: customresourcedefinitions is forbidden" in told.stderr


async def test_where_nothing_answers_there_is_no_bundle(ask: Ask, tmp_path: Path) -> None:
    told = await ask("diagnose", "--context", "gone", "--out", str(tmp_path / "b.tar.gz"), "--limit", "2")
    assert told.exit_code == 1
    assert "does not answer" in told.stderr
    assert not (tmp_path / "b.tar.gz").exists()


def test_what_is_too_large_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.cli.bundle.MOST_BYTES", 10)
    bundle = Bundle()
    bundle.add("small", "ten bytes.", 1)
    bundle.add("large", "eleven byte", 1)
    assert len(bundle) == 1
    assert bundle.left_out == [("large", "11 bytes are more than a bundle takes")]
