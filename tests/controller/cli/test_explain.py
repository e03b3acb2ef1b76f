"""`aim-gpu explain` before a fake API server: what is read, what is said, and what is not."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from aiohttp import web
from typer.testing import CliRunner, Result

from controller.cli.access import REVIEWS
from controller.cli.explain import explain
from controller.cli.plan import plan
from controller.placement.expectation import Known
from controller.placement.scheduler import ModelScheduler
from controller.runtime.client.core import (
    EVENTS,
    LEASES,
    NAMESPACES,
    NODES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    PRIORITY_CLASSES,
    REPLICA_SETS,
    RESOURCE_CLAIMS,
)
from controller.runtime.client.resource import Resource
from controller.state.kinds import (
    GPU_NODES,
    GPU_PARTITION_CLAIMS,
    GPU_SHARING_POLICIES,
    INFERENCE_SERVICES,
    MODEL_PROFILES,
    REPARTITION_PLANS,
)
from tests.builders import plan as plans
from tests.builders.claim import allocation, claim
from tests.builders.gpu import full, gpu
from tests.builders.gpu_node import gpu_node, lease
from tests.builders.node import node_object
from tests.builders.pod import OPTED_IN, pod
from tests.controller.cli.conftest import KUBECONFIG
from tests.fakes import faults
from tests.fakes.api_server import FakeApiServer

KINDS: tuple[Resource, ...] = (
    *(NODES, PODS, NAMESPACES, LEASES, EVENTS, RESOURCE_CLAIMS, PRIORITY_CLASSES, POD_DISRUPTION_BUDGETS, REPLICA_SETS),
    *(GPU_NODES, GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES, INFERENCE_SERVICES, MODEL_PROFILES, REPARTITION_PLANS),
)
HELD = {"phase": "Allocated", "allocation": allocation()}

Ask = Callable[..., Awaitable[Result]]


class Server(FakeApiServer):
    """Lists of `forbidden` plurals are; reviews of access answer `names`."""

    def __init__(self) -> None:
        super().__init__()
        self.forbidden: set[str] = set()
        self.names = True

    async def perform(self, request: web.Request) -> web.StreamResponse:
        plural = request.path.rpartition("/")[2]
        if plural == REVIEWS.plural:
            return web.json_response({"status": {"allowed": self.names}}, status=201)
        if request.method == "GET" and plural in self.forbidden:
            return await faults.refusal(403, "Forbidden", f"{plural} is forbidden")(request)
        return await super().perform(request)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    api = Server()
    for kind in KINDS:
        api.serve(kind)
    async with api:
        api.put(NODES, node_object())
        api.put(GPU_NODES, gpu_node("worker-0", gpu(0)))
        beat = lease()
        beat["spec"]["renewTime"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        api.put(LEASES, beat)
        yield api


@pytest.fixture
def ask(server: Server, tmp_path: Path) -> Ask:
    """Runs the command in a thread."""
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(current="fake", url=server.url))
    app = typer.Typer()
    app.command()(explain)

    async def run(*arguments: str) -> Result:
        given = [*arguments, "--kubeconfig", str(path)]
        return await asyncio.to_thread(CliRunner().invoke, app, given)

    return run


def waiting(server: Server, name: str = "aim-a", memory: str = "60Gi", **status: Any) -> None:
    server.put(PODS, pod("model-0", claim=name, annotations=OPTED_IN))
    server.put(GPU_PARTITION_CLAIMS, claim(name, memory=memory, status={"phase": "Pending", **status}))


async def test_a_waiting_claim_is_told_what_is_nearest_and_why_each_partition_is_refused(
    server: Server, ask: Ask
) -> None:
    waiting(server)
    found = await ask("claim/aim-a", "-n", "team-a")
    assert found.exit_code == 0, found.stderr
    assert "NoPartitionFits: none of 8 partitions takes 60.0 GiB" in found.stdout
    assert "Nearest change: " in found.stdout
    assert "- 8 PartitionTooSmall, e.g. worker-0 0000:01:00.0/0 has 24.0 GiB" in found.stdout


async def test_a_pod_is_explained_by_its_claim_and_its_events(server: Server, ask: Ask) -> None:
    waiting(server)
    event = {
        "metadata": {"namespace": "team-a", "name": "e"},
        "regarding": {"kind": "Pod", "name": "model-0"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "type": "Warning",
        "reason": "NoPartitionFits",
        "note": "none fits",
    }
    server.put(EVENTS, event)
    server.put(EVENTS, event | {"metadata": {"namespace": "team-a", "name": "f"}, "regarding": {"name": "another"}})
    told = json.loads((await ask("pod/model-0", "-n", "team-a", "-o", "json")).stdout)
    assert [each["name"] for each in told["claims"]] == ["aim-a"]
    assert [event["message"] for event in told["history"]] == ["none fits"]
    assert told["claims"][0]["explanation"]["changes"][0]["kind"]


async def test_a_placed_claim_is_told_where_else_it_could_be(server: Server, ask: Ask) -> None:
    server.put(PODS, pod("model-0", claim="aim-a", gates=(), node="worker-0", phase="Running"))
    server.put(GPU_PARTITION_CLAIMS, claim(status=HELD))
    found = await ask("gpc/aim-a", "-n", "team-a")
    assert "has worker-0 0000:01:00.0/0 CPX/NPS4 24.0 GiB (DRA)" in found.stdout
    assert "Why there: worker-0 is the best of 1 node" in found.stdout


async def test_a_claim_that_waits_for_a_gpu_to_be_divided_is_told_so_although_a_place_is_free(
    server: Server, ask: Ask
) -> None:
    told = "DividingFirst: 168.0 GiB would be wasted, so an idle GPU is divided first"
    condition = {"type": "Bound", "status": "False", "reason": "DividingFirst", "message": "168.0 GiB would be wasted"}
    dated = condition | {"lastTransitionTime": "2026-01-01T00:00:00Z"}
    waiting(server, memory="20Gi", explanation=told, conditions=[dated])
    found = (await ask("gpc/aim-a", "-n", "team-a")).stdout
    assert told in found
    assert "As things are it would go to worker-0" in found
    assert "binds it when it looks next" not in found


async def test_a_claim_over_a_resource_quota_is_told_so_although_a_place_is_free(server: Server, ask: Ask) -> None:
    told = "ResourceQuota gpus of namespace team-a is used up"
    condition = {"type": "Bound", "status": "False", "reason": "QuotaExceeded", "message": told}
    dated = condition | {"lastTransitionTime": "2026-01-01T00:00:00Z"}
    waiting(server, memory="20Gi", explanation=told, conditions=[dated])
    found = (await ask("gpc/aim-a", "-n", "team-a")).stdout
    assert told in found
    assert "As things are it would go to worker-0" in found
    assert "binds it when it looks next" not in found


async def test_a_claim_of_several_partitions_is_told_what_lies_between_them(server: Server, ask: Ask) -> None:
    gpus = [gpu(number, "SPX/NPS1", hive=0) for number in (0, 1, 2, 3)]
    server.put(GPU_NODES, gpu_node("worker-0", *gpus))
    server.put(PODS, pod("model-0", claim="aim-a", gates=(), node="worker-0", phase="Running"))
    held = allocation(of=gpus[0])
    held["devices"] += allocation(of=gpus[1])["devices"]
    server.put(GPU_PARTITION_CLAIMS, claim(count=2, status={"phase": "Allocated", "allocation": held}))
    told = (await ask("gpc/aim-a", "-n", "team-a")).stdout
    assert "0000:02:00.0/0 SPX/NPS1 192.0 GiB (DRA, on GPUs that xGMI links)" in told
    server.put(GPU_NODES, gpu_node("worker-0", *(replace(each, hive=None) for each in gpus)))
    told = (await ask("gpc/aim-a", "-n", "team-a")).stdout
    assert "(DRA, on GPUs that are not known to be linked by xGMI)" in told


async def test_names_of_others_are_for_those_who_may_get_them(server: Server, ask: Ask) -> None:
    server.put(GPU_NODES, gpu_node("worker-0", full(0, "SPX/NPS1")))
    server.put(PODS, pod("their-0", namespace="team-b", claim="aim-secret", gates=(), node="worker-0", phase="Running"))
    held = {"phase": "Allocated", "allocation": allocation("worker-0", 0, 0, of=gpu(0, "SPX/NPS1"))}
    server.put(GPU_PARTITION_CLAIMS, claim("aim-secret", namespace="team-b", pod="their-0", status=held))
    waiting(server)
    assert "by team-b/aim-secret" in (await ask("claim/aim-a", "-n", "team-a")).stdout
    server.names = False
    for form in ("table", "json"):
        told = await ask("claim/aim-a", "-n", "team-a", "-o", form)
        assert "1 PartitionHeld" in told.stdout or form == "json"
        assert "secret" not in told.stdout
        assert "team-b" not in told.stdout


async def test_who_may_not_read_the_cluster_is_shown_what_was_written(server: Server, ask: Ask) -> None:
    waiting(server, explanation="NoPartitionFits: as the operator wrote it")
    server.forbidden = {"gpunodes", "nodes"}
    found = await ask("claim/aim-a", "-n", "team-a")
    assert found.exit_code == 0, found.stderr
    assert "NoPartitionFits: as the operator wrote it" in found.stdout
    assert "the right to list gpunodes.aim.amd.com, nodes is missing" in " ".join(found.stdout.split())


async def test_a_claim_on_a_node_that_is_silent_is_told_to_keep_its_place(server: Server, ask: Ask) -> None:
    server.remove(LEASES, "aim-gpu-system/worker-0")
    server.put(PODS, pod("model-0", claim="aim-a", gates=(), node="worker-0", phase="Running", annotations=OPTED_IN))
    held = claim("aim-a", memory="20Gi", status=HELD)
    held["spec"]["model"] = {"id": "Qwen/Qwen3-4B"}
    server.put(GPU_PARTITION_CLAIMS, held)
    told = (await ask("claim/aim-a", "-n", "team-a")).stdout
    kept, why = "What has a place keeps it. Were it placed anew now, it would wait:", "NoPartitionFits: none of 8"
    assert told.index("  has worker-0 ") < told.index(kept) < told.index(why)
    assert "  asks for 1 partition of 20.0 GiB for Qwen/Qwen3-4B\n" in told, "what nobody said is not told"


async def test_who_may_not_read_the_object_is_told_which_right_is_missing(server: Server, ask: Ask) -> None:
    server.play(faults.refusal(403, "Forbidden", 'User "somebody" cannot get resource "pods"'), on="GET")
    found = await ask("pod/model-0", "-n", "team-a")
    assert (found.exit_code, found.stdout) == (1, "")
    assert (
        'cannot explain pod/model-0: User "somebody" cannot get resource "pods"; ask an administrator' in found.stderr
    )


@pytest.mark.parametrize(
    ("what", "want"),
    [
        pytest.param("claim/none", "no claim is called 'none' in namespace team-a", id="no such claim"),
        pytest.param("node/none", "no node is called 'none'", id="no such node"),
        pytest.param("deployment/x", "kind 'deployment' cannot be explained", id="another kind"),
    ],
)
async def test_what_is_not_there_is_refused(ask: Ask, what: str, want: str) -> None:
    found = await ask(what, "-n", "team-a")
    assert (found.exit_code, found.stdout) == (2, "")
    assert want in found.stderr


async def test_a_pod_that_takes_no_part_is_said_to(server: Server, ask: Ask) -> None:
    server.put(PODS, pod("plain", claim=None, gates=(), annotations={}))
    found = await ask("pod/plain", "-n", "team-a")
    assert (found.exit_code, found.stdout) == (2, "")
    assert "takes no part" in found.stderr


async def test_a_node_tells_whether_it_takes_pods_and_who_holds_it(server: Server, ask: Ask) -> None:
    server.put(NODES, node_object(unschedulable=True))
    told = json.loads((await ask("node/worker-0", "-o", "json")).stdout)
    assert [row["reason"] for row in told["node"]["refusals"]] == ["NodeCordoned"]
    assert told["node"]["gpus"][0]["free"] == 8


async def test_a_node_tells_what_a_plan_that_waits_there_gains_and_costs(server: Server, ask: Ask) -> None:
    made = plans.plan("p", phase="AwaitingApproval")
    made["spec"]["gain"] = {"gpus": 1, "summary": "1 GPU"}
    made["status"]["cost"] = {"evictions": 1, "summary": "1 pod starts anew (2m)"}
    server.put(REPARTITION_PLANS, made)
    told = (await ask("node/worker-0")).stdout
    assert "Plan p waits for approval: aim-gpu approve p\n- gain 1 GPU; cost 1 pod starts anew (2m)\n" in told


async def test_an_agent_that_is_silent_is_not_believed(server: Server, ask: Ask) -> None:
    server.put(LEASES, lease())
    told = json.loads((await ask("node/worker-0", "-o", "json")).stdout)
    assert [row["reason"] for row in told["node"]["refusals"]] == ["StaleInventory"]


async def test_nothing_is_written(server: Server, ask: Ask) -> None:
    waiting(server)
    await ask("claim/aim-a", "-n", "team-a")
    writes = {(seen.method, seen.path.rpartition("/")[2]) for seen in server.seen if seen.method != "GET"}
    assert writes <= {("POST", REVIEWS.plural)}


async def test_a_server_without_our_kinds_is_told_apart_from_one_without_the_object(tmp_path: Path) -> None:
    async with FakeApiServer() as bare:
        bare.put(PODS, pod("model-0", claim="aim-a", annotations=OPTED_IN))
        path = tmp_path / "bare"
        path.write_text(KUBECONFIG.format(current="fake", url=bare.url))
        app = typer.Typer()
        app.command()(explain)
        given = ["pod/model-0", "-n", "team-a", "--kubeconfig", str(path)]
        found = await asyncio.to_thread(CliRunner().invoke, app, given)
    assert (found.exit_code, found.stdout) == (1, "")
    assert "cannot explain pod/model-0: /api" in found.stderr
    assert "is not served" in found.stderr


SERVICE = """
apiVersion: v1
kind: Pod
metadata: {name: chat, namespace: team-a, annotations: {aim.amd.com/gpu-sharing: "true", aim.amd.com/model-id: Qwen/Qwen3-4B}}
spec: {containers: [{name: main, image: engine}]}
"""


@pytest.fixture
def plan_there(server: Server, tmp_path: Path) -> Ask:
    """Runs `plan` on the server in a thread."""
    (tmp_path / "given.yaml").write_text(SERVICE)
    path = tmp_path / "kubeconfig-of-plan"
    path.write_text(KUBECONFIG.format(current="fake", url=server.url))
    app = typer.Typer()
    app.command()(plan)

    async def run(*arguments: str) -> Result:
        given = ["-f", str(tmp_path / "given.yaml"), "--kubeconfig", str(path), *arguments]
        return await asyncio.to_thread(CliRunner().invoke, app, given)

    return run


async def test_a_plan_is_of_the_cluster_where_a_kubeconfig_is_given(plan_there: Ask) -> None:
    found = await plan_there()
    assert found.stdout == "+ team-a/chat: 1 pod of 19.3 GiB to worker-0 (CPX/NPS4, 24.0 GiB)\n"
    assert "1 pod to place" in found.stderr


async def test_a_plan_needs_no_right_to_list_priority_classes_disruption_budgets_or_replica_sets(
    server: Server, plan_there: Ask
) -> None:
    server.forbidden = {"priorityclasses", "poddisruptionbudgets", "replicasets"}
    found = await plan_there()
    assert found.exit_code == 0
    assert "poddisruptionbudgets.policy is missing: pods are shown to leave that one may keep" in found.stderr
    assert "replicasets.apps is missing: a moved pod counts as replaced once" in found.stderr


async def test_who_may_not_list_replica_sets_is_told_what_is_assumed(server: Server, ask: Ask) -> None:
    waiting(server)
    assert "replicasets" not in (await ask("claim/aim-a", "-n", "team-a")).stdout
    server.forbidden = {"replicasets"}
    found = await ask("claim/aim-a", "-n", "team-a", "-o", "json")
    told = json.loads(found.stdout)
    assert (told["live"], len(told["notes"])) == (True, 1)
    assert "each waiting pod counts as of its Deployment's newest revision" in told["notes"][0]


async def test_a_plan_expects_what_an_operator_would_that_began_now(
    server: Server, plan_there: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Known] = []
    server.put(PODS, pod("model-0", claim="aim-a", annotations=OPTED_IN))
    aged = claim("aim-a", memory="60Gi")
    aged["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    server.put(GPU_PARTITION_CLAIMS, aged)
    monkeypatch.setattr(ModelScheduler, "expect", lambda _, known: told.extend(known))
    await plan_there()
    assert [each.shape[1:] for each in told] == [(60 << 30, 1)]


async def test_a_plan_names_the_rights_that_are_missing(server: Server, plan_there: Ask) -> None:
    server.forbidden = {"pods", "nodes"}
    found = await plan_there()
    assert (found.exit_code, found.stdout) == (1, "")
    assert "cannot plan on the cluster: the right to list nodes, pods is missing; ask an administrator" in found.stderr


async def test_nodes_on_paper_and_a_cluster_are_not_taken_together(plan_there: Ask) -> None:
    found = await plan_there("--nodes", "nodes.yaml")
    assert (found.exit_code, found.stdout) == (2, "")
    assert "--nodes: 'nodes.yaml' is on paper" in found.stderr


async def test_a_plan_writes_nothing(server: Server, plan_there: Ask) -> None:
    await plan_there("-o", "json")
    assert {seen.method for seen in server.seen} == {"GET"}
