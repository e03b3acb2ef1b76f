from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from e2e.run.services import services
from e2e.run.table import View, rows, view
from e2e.run.world import World
from tests.e2e.run.objects import claim, deployment, group_claim, pod, refused


def gpu(bdf: str, parts: int, mode: str = "CPX/NPS4", **first: str) -> dict[str, Any]:
    partitions = [{"id": index, "bytes": 2 << 30, "holder": "free"} for index in range(parts)]
    partitions[0] |= first
    return {"bdf": bdf, "mode": mode, "partitions": partitions}


def node(*gpus: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "node-0"}, "status": {"gpus": list(gpus), **status}}


def test_held_partitions_stand_alone_and_free_ones_are_counted() -> None:
    one = node(
        gpu("0000:05:00.0", 8), gpu("0000:27:00.0", 8), gpu("0000:47:00.0", 8), gpu("0000:65:00.0", 1, "SPX/NPS1")
    )
    world = World(gpu_nodes=[one], claims=[claim("aim-1")], pods=[pod("p", "aim-1")])
    assert list(rows(one, world)) == [
        ("node-0", "0000:05:00.0", "CPX/NPS4", "0", "owner/model", "Deployment", "█████░░░░░  50% of 2 GiB", "Ready"),
        ("node-0", "0000:05:00.0", "CPX/NPS4", "", "", "", "", "7 free"),
        ("node-0", "2 GPUs", "CPX/NPS4", "", "", "", "", "16 free"),
        ("node-0", "1 GPU", "SPX/NPS1", "", "", "", "", "1 free"),
    ]


@pytest.mark.parametrize(
    ("phase", "ready", "want_state"),
    [
        pytest.param("Bound", False, "Bound", id="chosen"),
        pytest.param("Allocated", False, "Allocated", id="confirmed"),
        pytest.param("Allocated", True, "Ready", id="running"),
    ],
)
def test_state(phase: str, ready: bool, want_state: str) -> None:
    one = node(gpu("0000:05:00.0", 1))
    world = World(gpu_nodes=[one], claims=[claim("aim-1", phase=phase)], pods=[pod("p", "aim-1", ready=ready)])
    assert next(rows(one, world))[-1] == want_state


def test_members_of_a_share_group_have_a_row_each() -> None:
    members = [pod(name, "aim-group-1") for name in ("p", "q")]
    for one, model in zip(members, ("a/one", "a/two"), strict=True):
        one["metadata"]["annotations"] = {"aim.amd.com/model-id": model}
    members[1]["status"]["conditions"][0]["status"] = "False"
    one = node(gpu("0000:05:00.0", 1))
    world = World(gpu_nodes=[one], claims=[group_claim("aim-group-1", p=1 << 29, q=1 << 30)], pods=members)
    assert [(row[3], row[4], row[6].split()[1], row[7]) for row in rows(one, world)] == [
        ("0", "a/one", "25%", "Ready"),
        ("0", "a/two", "50%", "Allocated"),
    ]


def test_what_made_the_pod_is_seen_by_its_labels() -> None:
    one = node(gpu("0000:05:00.0", 1))
    world = World(gpu_nodes=[one], claims=[claim("aim-1")], pods=[pod("p", "aim-1", kserve="web")])
    assert next(rows(one, world))[5] == "KServe"


def test_foreign_holders_and_mode_changes_are_shown() -> None:
    operation = {"phase": "Running", "step": "SetComputeMode", "progressPercent": 40}
    one = node(gpu("0000:05:00.0", 1, holder="foreign"), operation=operation)
    foreign, change = rows(one, World(gpu_nodes=[one]))
    assert foreign[4:] == ("(not managed here)", "", "", "foreign")
    assert change[-1] == "changing modes: SetComputeMode 40%"


def test_the_screen_says_simulated_and_why_something_waits() -> None:
    world = World(
        gpu_nodes=[node(gpu("0000:05:00.0", 1))],
        deployments=[deployment("web")],
        pods=[pod("p", "aim-1", ready=False, app="web")],
        claims=[refused("aim-1", "TooLarge")],
    )
    recorder = Console(width=120)
    with recorder.capture() as shown:
        recorder.print(view(world, services(world), 3.0))
    assert "1 simulated GPUs" in shown.get()
    assert "a/web waits: TooLarge: because" in shown.get()


BUSY = View(
    "a title",
    [
        (
            f"node-{i // 8}",
            "0000:05:00.0",
            "CPX/NPS4",
            str(i % 8),
            "owner/model",
            "KServe",
            "█░  50% of 24 GiB",
            "Ready",
        )
        for i in range(24)
    ],
    [Text("a/web waits: TooLarge")],
)


def drawn(width: int, height: int, *, terminal: bool = True) -> list[str]:
    console = Console(width=width, height=height, force_terminal=terminal, color_system=None)
    with console.capture() as shown:
        console.print(BUSY)
    return shown.get().splitlines()


@pytest.mark.parametrize(
    ("width", "height"),
    [
        pytest.param(80, 24, id="the usual small terminal"),
        pytest.param(140, 30, id="wide"),
        pytest.param(140, 5, id="hardly any room"),
    ],
)
def test_what_is_too_high_is_cut_but_the_reasons_stay(width: int, height: int) -> None:
    lines = drawn(width, height)
    assert len(lines) < max(height, 8)
    assert lines[0].strip() == "a title"
    assert lines[-1] == "a/web waits: TooLarge"
    (more,) = [line for line in lines if "more rows" in line]
    shown = sum("0000:05:00.0" in line for line in lines)
    assert f"... and {24 - shown} more rows" in more


@pytest.mark.parametrize(
    ("height", "terminal"), [pytest.param(60, True, id="high enough"), pytest.param(24, False, id="no terminal")]
)
def test_with_room_every_row_is_shown(height: int, terminal: bool) -> None:
    lines = drawn(140, height, terminal=terminal)
    assert sum("0000:05:00.0" in line for line in lines) == 24
    assert not any("more rows" in line for line in lines)


def test_a_narrow_terminal_drops_bars_and_owners_before_facts() -> None:
    narrow, wide = "".join(drawn(80, 60)), "".join(drawn(140, 60))
    assert "owner/model" in wide
    assert "█░  50% of 24 GiB" in wide
    assert "owner/" not in narrow
    assert ("KServe" in wide, "KServe" in narrow) == (True, False)
    assert "█" not in narrow
    for fact in ("node-2", "0000:05:00.0", "CPX/NPS4", "model", "50% of 24 GiB", "Ready"):
        assert fact in narrow
