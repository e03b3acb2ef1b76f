"""What a killed plane has left goes with the next one's start; what is somebody's stays."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.plane import remains
from e2e.plane.processes import Processes
from e2e.plane.remains import Record, clear
from tests.e2e.plane.test_processes import ROOT, eventually, gone

CALLER = """
import sys, time
from pathlib import Path
from e2e.plane.processes import Processes
from e2e.plane.remains import Record
place = Path(sys.argv[1])
own = place / "aim-plane-own"
own.mkdir()
processes = Processes(place / "supervisor.log", remove=[own], record=Record([own], place))
print(processes.supervisor_pid, flush=True)
time.sleep(100)
"""


def made(folder: Path) -> Path:
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "etcd.log").touch()
    return folder


def abandoned(place: Path, *own: Path | str) -> Path:
    """The record of a plane of which nobody is left."""
    path = place / "aim-plane-dead.lock"
    path.write_text(json.dumps([str(one) for one in own]), encoding="utf-8")
    return path


def test_the_folder_of_a_dead_plane_goes_and_its_record(tmp_path: Path) -> None:
    folder = made(tmp_path / "aim-plane-x")
    record = abandoned(tmp_path, folder)

    clear(tmp_path)

    assert not folder.exists()
    assert not record.exists()


def test_a_control_group_of_a_dead_plane_goes_with_those_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = tmp_path / "cgroup" / "memory"
    group = mounted / "aim-plane-7-aim-plane-x"
    (group / "real-1" / "kubepods").mkdir(parents=True)
    monkeypatch.setattr(remains, "ROOT", tmp_path / "cgroup")
    monkeypatch.setattr(remains, "hierarchies", lambda: [mounted])
    record = abandoned(tmp_path, group)

    clear(tmp_path)

    assert not group.exists()
    assert mounted.exists()
    assert not record.exists()


def test_a_plane_whose_caller_lives_is_left_alone(tmp_path: Path) -> None:
    folder = made(tmp_path / "aim-plane-x")
    record = Record([folder], tmp_path)

    clear(tmp_path)

    assert folder.exists()
    assert record.path.exists()
    record.close()


def test_a_plane_whose_supervisor_alone_lives_is_left_to_it(tmp_path: Path) -> None:
    folder = made(tmp_path / "aim-plane-x")
    record = Record([folder], tmp_path)
    processes = Processes(tmp_path / "supervisor.log", remove=[folder], record=record)
    os.close(record.descriptor)  # as when the caller was killed

    clear(tmp_path)

    assert folder.exists()
    assert record.path.exists()
    processes.stop()


def test_once_caller_and_supervisor_are_killed_the_next_plane_clears(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CALLER, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as caller:
        assert caller.stdout is not None
        supervisor = int(caller.stdout.readline())
        clear(tmp_path)
        assert (tmp_path / "aim-plane-own").exists()
        os.kill(caller.pid, signal.SIGSTOP)  # it must not see the supervisor's end
        os.kill(supervisor, signal.SIGKILL)
        caller.kill()
    assert eventually(lambda: gone(supervisor))

    clear(tmp_path)

    assert list(tmp_path.iterdir()) == [tmp_path / "supervisor.log"]


@pytest.mark.parametrize("name", ["something", "elsewhere/aim-plane-x", "aim-plane-x/../other"])
def test_what_no_plane_makes_is_never_touched(tmp_path: Path, name: str) -> None:
    kept = made(tmp_path / name.replace("aim-plane-x/../", ""))
    (tmp_path / "aim-plane-x").mkdir(exist_ok=True)
    abandoned(tmp_path, tmp_path / name)

    clear(tmp_path)

    assert (kept / "logs" / "etcd.log").exists()


def test_what_a_link_leads_to_is_never_touched(tmp_path: Path) -> None:
    kept = made(tmp_path / "something")
    (tmp_path / "aim-plane-x").symlink_to(kept)
    abandoned(tmp_path, tmp_path / "aim-plane-x")

    clear(tmp_path)

    assert (kept / "logs" / "etcd.log").exists()


def test_a_folder_of_the_name_without_a_record_is_not_ours(tmp_path: Path) -> None:
    folder = made(tmp_path / "aim-plane-x")

    clear(tmp_path)

    assert folder.exists()


@pytest.mark.parametrize("text", ["", "no json", '{"a": 1}', "[7]"])
def test_a_record_that_cannot_be_read_names_nothing_and_goes(tmp_path: Path, text: str) -> None:
    record = tmp_path / "aim-plane-dead.lock"
    record.write_text(text, encoding="utf-8")

    clear(tmp_path)

    assert not record.exists()


def test_another_users_record_is_left_to_that_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made(tmp_path / "aim-plane-x")
    record = abandoned(tmp_path, folder)
    monkeypatch.setattr("e2e.plane.remains.os.geteuid", lambda: record.stat().st_uid + 1)

    clear(tmp_path)

    assert folder.exists()
    assert record.exists()


def test_what_cannot_be_removed_in_time_keeps_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made(tmp_path / "aim-plane-x")
    record = abandoned(tmp_path, folder)
    monkeypatch.setattr("e2e.plane.supervisor.shutil.rmtree", lambda *_given, **_more: None)

    clear(tmp_path, limit_seconds=0.0)

    assert record.exists()


def test_a_plane_that_ends_in_order_leaves_no_record(tmp_path: Path) -> None:
    folder = made(tmp_path / "aim-plane-x")
    record = Record([folder], tmp_path)
    processes = Processes(tmp_path / "supervisor.log", remove=[folder], record=record)

    processes.stop()
    assert not record.path.exists()  # the supervisor's work, also when the caller is gone

    record.close()
    record.close()
