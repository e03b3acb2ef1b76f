"""`aim-gpu top`: what a fleet looks like, what of it is told, and the terminal that it is drawn on."""

import asyncio
import json
import signal
import sys
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.cli.top_fleet import Fleet, Use, fleet_of
from controller.cli.top_uses import BadSource, NoUses, Source, parse_source, uses_of
from controller.cli.top_view import Level, Line, fitting, level_for, lines, texts
from controller.state.kinds import GPU_NODES
from tests.builders.gpu import bdf, gpu
from tests.builders.gpu_node import gpu_node
from tests.controller.cli.fleet_command import Ask, asking
from tests.controller.cli.fleet_scene import FleetServer, fleet
from tests.controller.cli.terminal import Terminal

AIM_GPU = Path(sys.executable).with_name("aim-gpu")
USES = {("gpu-a", bdf(0), 0): Use(150 << 30, 0.875), ("gpu-a", bdf(1), 0): Use(12 << 30, None)}


@pytest.fixture
async def server() -> AsyncIterator[FleetServer]:
    api = FleetServer()
    async with api:
        yield api


@pytest.fixture
def ask(server: FleetServer, tmp_path: Path) -> Ask:
    return asking(server, tmp_path)


def cells(found: Fleet, name: str, level: Level = Level.PARTITION) -> tuple[str, ...]:
    """The first line of that name."""
    return next(line.cells for line in lines(found, level) if line.cells[0].strip() == name)


async def test_off_a_terminal_it_is_printed_once_without_escapes(ask: Ask) -> None:
    told = await ask("top")
    assert told.exit_code == 0, told.stderr
    assert "\x1b" not in told.stdout + told.stderr
    assert "team-a/llama-70b-0  meta-llama/Llama-3.3-70B-Instruct" in told.stdout
    assert told.stderr == "2 nodes, 4 GPUs, 12 partitions, 7 free, 1 claim waiting\n"


async def test_programs_get_null_for_what_nobody_tells(ask: Ask) -> None:
    found = json.loads((await ask("top", "gpu-a", "-o", "json")).stdout)
    (node,) = found["nodes"]
    first = node["gpus"][0]["partitions"][0]
    assert (first["usedBytes"], first["busy"]) == (None, None)
    assert first["owner"] == {
        "namespace": "team-a",
        "claim": "aim-llama-70b",
        "pod": "llama-70b-0",
        "shareGroup": None,
        "model": "meta-llama/Llama-3.3-70B-Instruct",
        "askedBytes": 160 << 30,
        "binding": "DRA",
    }
    assert node["gpus"][1]["partitions"][7]["health"] == "Unhealthy"


async def test_a_node_that_is_not_there_is_told(ask: Ask) -> None:
    told = await ask("top", "gpu-z")
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr == "error: no GPUNode is called gpu-z: kubectl get gpun lists them\n"
    told = await ask("top", "gpu-z", "gpu-a", "--by", "node")
    assert (told.exit_code, told.stdout.count("\n")) == (1, 2)
    assert "no GPUNode is called gpu-z: kubectl get gpun lists them" in told.stderr


async def test_who_may_not_list_claims_sees_partitions_without_owners(server: FleetServer, ask: Ask) -> None:
    server.forbidden = {"gpupartitionclaims"}
    told = await ask("top")
    assert told.exit_code == 0
    assert "owners are not shown; -n NAMESPACE shows those of one" in told.stderr
    assert "claim waiting" not in told.stderr
    assert "llama-70b" not in told.stdout


async def test_who_may_not_list_nodes_is_told_so(server: FleetServer, ask: Ask) -> None:
    server.forbidden = {"gpunodes"}
    told = await ask("top")
    assert told.exit_code == 1
    assert "cannot show the fleet: gpunodes is forbidden" in told.stderr


async def test_a_prometheus_that_does_not_answer_is_a_note_and_no_end(ask: Ask) -> None:
    told = await ask("top", "--prometheus", "http://127.0.0.1:1")
    assert told.exit_code == 0
    assert "nothing is told of use: http://127.0.0.1:1/api/v1/query does not answer" in told.stderr


def test_use_is_told_where_it_is_known_and_sums_only_where_all_of_it_is() -> None:
    found = fleet(USES)
    assert cells(found, bdf(0))[4:6] == ("150.0G", "88%")
    assert cells(found, bdf(1))[4:6] == ("-", "-")
    told = [line.cells[4:6] for line in lines(found, Level.PARTITION) if line.cells[0] == "    0"]
    assert told == [("150.0G", "88%"), ("12.0G", "-"), ("-", "-"), ("-", "-")]
    assert cells(found, "gpu-a", Level.NODE)[4] == "-"


def test_quarantine_and_unknown_modes_are_told() -> None:
    from api.v1beta1 import GPUNode

    stored = gpu_node("w", gpu(0, "DPX/NPS1"))
    stored["spec"]["quarantine"] = [{"bdf": bdf(0), "partition": 1, "mode": "DPX/NPS1"}]
    stored["status"]["gpus"].append({"bdf": bdf(1), "product": "MI300X", "problem": "cannot be read"})
    found = fleet_of([GPUNode.model_validate(stored)], [], {})
    assert [one.health for one in found.nodes[0].partitions] == ["Healthy", "Quarantined"]
    assert cells(found, bdf(1))[1:7] == ("?", "-", "0.0G", "-", "-", "Problem")
    assert cells(found, "w")[6] == "Unknown"


@pytest.mark.parametrize(
    ("height", "level", "left_out"),
    [(24, Level.PARTITION, 0), (12, Level.GPU, 0), (8, Level.NODE, 0), (5, Level.NODE, 2)],
    ids=["all find room", "partitions do not", "GPUs do not", "nodes do not"],
)
def test_as_much_is_shown_as_there_is_room_for(height: int, level: Level, left_out: int) -> None:
    found = fleet()
    assert level_for(found, height) is level
    shown, rest = fitting(lines(found, level), height, 0)
    assert (rest, len(shown) + rest) == (left_out, len(lines(found, level)))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("http://localhost:9090/", Source(url="http://localhost:9090")),
        ("monitoring/prometheus", Source(namespace="monitoring", service="prometheus", port="9090")),
        ("monitoring/prometheus:80", Source(namespace="monitoring", service="prometheus", port="80")),
    ],
    ids=["a URL", "a Service", "a Service with its port"],
)
def test_a_prometheus_is_named(text: str, want: Source) -> None:
    assert parse_source(text) == want


@pytest.mark.parametrize("text", ["prometheus", "a/b/c", "a/b:http", "https://", "/b"])
def test_what_names_none_is_refused(text: str) -> None:
    with pytest.raises(BadSource, match="--prometheus"):
        parse_source(text)


def answer(*rows: tuple[dict[str, str], str]) -> bytes:
    found = [{"metric": labels, "value": [0, value]} for labels, value in rows]
    return json.dumps({"data": {"result": found}}).encode()


def test_use_is_read_of_prometheus() -> None:
    place = {"node": "agent-pod", "exported_node": "gpu-a", "gpu": bdf(0), "partition": "3"}
    memory = {"__name__": "aim_gpu_partition_memory_bytes"} | place
    body = answer(
        (memory | {"type": "used"}, "1024"),
        (memory | {"type": "total"}, "4096"),
        ({"__name__": "aim_gpu_partition_utilization"} | place, "0.5"),
    )
    assert uses_of(body) == {("gpu-a", bdf(0), 3): Use(1024, 0.5)}


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"data": {"result": [{}]}}'])
def test_what_is_no_answer_of_prometheus_is_said(body: bytes) -> None:
    with pytest.raises(NoUses, match="no Prometheus"):
        uses_of(body)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
async def test_on_a_terminal_it_follows_changes_and_leaves_it_clean(
    server: FleetServer, tmp_path: Path, how: signal.Signals
) -> None:
    asking(server, tmp_path)
    terminal = Terminal(AIM_GPU, "top", "--interval", "1", "--kubeconfig", str(tmp_path / "kubeconfig"))
    await asyncio.to_thread(terminal.wait_for, "team-a/llama-70b-0")
    stored = server.objects(GPU_NODES)["gpu-b"]
    paused = {**stored, "spec": stored["spec"] | {"paused": True}}
    server.put(GPU_NODES, paused)
    await asyncio.to_thread(terminal.wait_for, "Paused")
    lists = server.count("list")
    code = await asyncio.to_thread(terminal.end, how)
    assert code == 0
    assert "Traceback" not in terminal.shown
    on, off = (terminal.shown.rfind(f"\x1b[?1049{end}") for end in "hl")
    assert -1 < on < off, "the screen of its own is left"
    assert terminal.shown.rfind("\x1b[?25l") < terminal.shown.rfind("\x1b[?25h"), "the cursor is there again"
    assert termios.tcgetattr(terminal.theirs) == terminal.before
    assert lists <= 2, "what changes is watched, not listed again and again"


def test_owners_that_are_cut_can_be_told_apart() -> None:
    """By what Kubernetes appends to the names of one controller's pods."""
    found = [
        Line(("0", "SPX", "1G", "1G", "-", "-", "Healthy", f"team-a/chat-7b4fb8fbc6-{pod}", "m"))
        for pod in ("pmn48", "rz6tt")
    ]
    cut = texts(found, 60)
    assert [line[-6:] for line in cut[1:]] == ["\N{HORIZONTAL ELLIPSIS}pmn48", "\N{HORIZONTAL ELLIPSIS}rz6tt"]
    assert max(map(len, cut)) <= 60


async def test_of_a_namespace_alone_its_owners_are_told(server: FleetServer, ask: Ask) -> None:
    told = await ask("top", "-n", "team-a")
    assert told.exit_code == 0, told.stderr
    assert "team-a/llama-70b-0" in told.stdout
    assert "team-b" not in told.stdout
    assert told.stderr == "2 nodes, 4 GPUs, 12 partitions, 9 free, 0 claims waiting in team-a\n"
    told = await ask("top", "-n", "team-x")
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr == "error: -n: no namespace is called 'team-x': kubectl get namespaces lists them\n"
    server.forbidden = {"gpupartitionclaims", "namespaces"}
    told = await ask("top", "-n", "team-b")
    assert "the right to list gpupartitionclaims in namespace team-b is missing: owners are not shown" in told.stderr


async def test_on_a_terminal_a_namespace_that_is_not_there_is_refused_too(server: FleetServer, tmp_path: Path) -> None:
    asking(server, tmp_path)
    terminal = Terminal(AIM_GPU, "top", "-n", "team-x", "--kubeconfig", str(tmp_path / "kubeconfig"))
    await asyncio.to_thread(terminal.wait_for, "error: -n: no namespace is called 'team-x'")
    assert await asyncio.to_thread(terminal.process.wait, 30) == 2
    assert "\x1b[?1049h" not in terminal.shown, "no screen was begun"


async def test_where_no_node_has_gpus_it_says_what_to_do(server: FleetServer, ask: Ask) -> None:
    for stored in server.objects(GPU_NODES).values():
        stored["status"]["gpus"] = []
    told = await ask("top")
    assert (told.exit_code, told.stdout.count("\n")) == (0, 1)
    assert "no node has told of GPUs yet: label nodes aim.amd.com/managed=true" in told.stderr


async def test_a_node_without_gpus_is_told_beside_the_others(server: FleetServer, ask: Ask) -> None:
    server.objects(GPU_NODES)["gpu-b"]["status"]["gpus"] = []
    told = await ask("top")
    assert "gpu-b told of no GPU yet: see that the agent there runs" in told.stderr
    assert "gpu-a" in told.stdout
