"""What could follow on a command line, and what shells and kubectl are told of it."""

import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from controller.cli import completer_names
from controller.cli.completer import Candidate, Completion, complete
from controller.cli.completer_shells import answer, for_bash, for_fish, for_kubectl, for_zsh, words_of
from controller.entrypoints import main
from controller.entrypoints.main import AT_ONCE, VERBS, syntax
from tests.controller.cli.conftest import KUBECONFIG
from tests.controller.cli.fleet_scene import FleetServer


def completed(line: str) -> Completion:
    """What could follow on the words of a line, whose last one is being typed."""
    return complete(line.split(" "), [*AT_ONCE, *VERBS], syntax, completer_names.names)


def words(line: str) -> list[str]:
    return [each.word for each in completed(line).candidates]


@pytest.mark.parametrize(
    ("line", "want"),
    [
        ("expl", ["explain"]),
        ("ro", ["rollback", "rocm"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("profiles g", ["generate"]),
        ("profiles show --metric ", ["latency", "throughput"]),
        ("size Qwen/Qwen3-4B-T", ["Qwen/Qwen3-4B-Thinking-2507", "Qwen/Qwen3-4B-Thinking-2507-FP8"]),
        ("size --gpu MI300", ["MI300X", "MI300A"]),
        ("size --precision f", ["fp32", "fp16", "fp8"]),
        ("size --partition QPX/", ["QPX/NPS1", "QPX/NPS2", "QPX/NPS4"]),
        ("size --gpu MI300X --partition QPX/", ["QPX/NPS1", "QPX/NPS4"]),
        ("profiles show --gpu MI210 --mode ", ["SPX/NPS1"]),
        ("profiles show --mode T", ["TPX/NPS1"]),
        ("explain pod", ["pod/", "pods/"]),
        ("plan -o js", ["json"]),
        ("plan --output=y", ["--output=yaml"]),
        ("approve p --y", ["--yes"]),
        ("approve p --yes --y", []),
        ("plan --fi", ["--files"]),
        ("plan --req", ["--require-placed"]),
        ("plan --files a --fi", ["--files"]),
        ("nothing ", []),
        ("profiles nothing ", []),
        ("approve --no-such ", None),
    ],
)
def test_what_follows(line: str, want: list[str] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    assert set(words(line)) == set(want or [])


@pytest.mark.parametrize("line", ["explain no", "explain p", "explain c", "size --partition ", "size --gpu "])
def test_nothing_is_offered_twice(line: str) -> None:
    found = words(line)
    assert len(found) == len(set(found)) > 0


def test_options_are_told_with_what_they_are_and_only_once_typed() -> None:
    assert completed("drain --dry").candidates == (Candidate("--dry-run", "Only show what would become of its pods"),)
    assert not any(word.startswith("-") for word in words("profiles "))


@pytest.mark.parametrize("verb", [*AT_ONCE, *VERBS])
def test_every_verb_can_be_completed(verb: str) -> None:
    assert "--help" in words(f"{verb} --h")


def test_files_are_left_to_the_shell() -> None:
    assert completed("plan -f ").files
    assert completed("plan --files ").files
    assert completed("size --config=").files
    assert not completed("completion ").files


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FleetServer]:
    api = FleetServer()
    async with api:
        path = tmp_path / "kubeconfig"
        path.write_text(KUBECONFIG.format(current="fake", url=api.url))
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield api


async def in_thread(line: str) -> list[str]:
    import asyncio

    return await asyncio.to_thread(words, line)


@pytest.mark.parametrize(
    ("line", "want"),
    [
        ("approve s", ["spx-to-dpx"]),
        ("rollback ", ["spx-to-dpx"]),
        ("drain gpu-", ["gpu-a", "gpu-b"]),
        ("top gpu-a gpu-", ["gpu-a", "gpu-b"]),
        ("explain node/", ["node/gpu-a", "node/gpu-b"]),
        ("explain -n team-b gpc/aim-w", ["gpc/aim-waits"]),
        ("explain pod/x -n team-", ["team-a", "team-b"]),
        ("approve --context ", ["fake", "gone"]),
        ("approve --context gone ", []),
    ],
)
async def test_names_come_from_the_cluster(server: FleetServer, line: str, want: Sequence[str]) -> None:
    assert await in_thread(line) == list(want)


async def test_a_cluster_that_is_slow_is_waited_for_so_long_and_no_longer(
    server: FleetServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.latency = 30.0
    monkeypatch.setattr(completer_names, "LIMIT_SECONDS", 0.3)
    begun = time.monotonic()
    assert await in_thread("drain ") == []
    assert time.monotonic() - begun < 5.0


async def test_who_may_not_list_gets_no_names_and_no_complaint(
    server: FleetServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.forbidden = {"gpunodes"}
    assert await in_thread("drain ") == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("line", "want"),
    [
        ("aim-gpu ", [""]),
        ("aim-gpu expl", ["expl"]),
        ("aim-gpu explain ", ["explain", ""]),
        ("aim-gpu plan -f 'my fi", ["plan", "-f", "my fi"]),
        ('aim-gpu plan -f "a b" ', ["plan", "-f", "a b", ""]),
        ("aim-gpu plan -f a\\ b", ["plan", "-f", "a b"]),
    ],
)
def test_a_line_is_split_as_a_shell_does(line: str, want: list[str]) -> None:
    assert words_of(line) == want


FOUND = Completion((Candidate("a:b/", "it is", complete=False), Candidate("plain")))


def test_shells_are_told_in_their_own_ways() -> None:
    assert for_bash(FOUND, "a:", " =:") == [":none", "b/", "ain"]
    assert for_bash(FOUND, "a:", " =") == [":none", "a:b/", "plain"]
    assert for_zsh(FOUND) == [":none", "a\\:b/:it is", "plain"]
    assert for_fish(Completion((), files=True)) == [":files"]
    assert for_kubectl(FOUND) == ["a:b/\tit is", "plain", ":6"]
    assert for_kubectl(Completion((), files=True)) == [":0"]


def test_an_option_with_its_value_is_completed_behind_the_sign_in_bash() -> None:
    told = answer(["bash", "aim-gpu plan --output=y", " \t\n=:"], lambda given: completed(" ".join(given)))
    assert told == [":none", "yaml"]


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        ("tcsh", "shell 'tcsh' has no completion: use one of bash, zsh, fish"),
        ("", "shell '' has no completion"),
        ("bash si", "bash gives its line and its word breaks, 1 words came"),
        ("bash a b c", "bash gives its line and its word breaks, 3 words came"),
    ],
)
def test_who_asks_as_no_shell_does_is_told(arguments: str, want: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main.complete(arguments.split())
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: {want}")


def test_verbs_are_completed_without_the_packages_of_any() -> None:
    import subprocess

    program = (
        "import sys; from controller.entrypoints.main import main\n"
        "sys.argv = ['aim-gpu', '__complete', 'zsh', 'ex']\n"
        "main(); print(*sys.modules, file=sys.stderr)"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert told.stdout.splitlines() == [":none", "explain", "exporter"]
    assert not {"typer", "rich", "pydantic", "aiohttp", "yaml"} & set(told.stderr.split())
