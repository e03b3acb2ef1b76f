"""What `aim-gpu plan` on paper shows of how much is taken, at several widths, and what it tells scripts."""

import pytest

from controller.cli.exit_codes import ExitCode
from tests.controller.cli.plan_files import HUGE, WHOLE, Write, invoke, planned, promised, service


def cells(table: str) -> list[list[str]]:
    """The rows of a table, without its heading."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in table.splitlines() if line[0] == "│"]


def test_a_pod_of_several_partitions_tells_how_many_it_takes(write: Write) -> None:
    asked = service("large", HUGE, gpuSharing={"partition": {"mode": "SPX/NPS1", "count": 4}})
    files = write(asked)
    (row,) = cells(invoke("-f", files).stdout)
    need = planned("-f", files)["services"][0]["need_bytes"]
    assert row[3] == f"4 x {need / 2**20:.0f} MiB"
    wide = invoke("-f", files, "-o", "wide")
    assert cells(wide.stdout)[0][-1] == "0000:05:00.0/0, 0000:27:00.0/0, 0000:47:00.0/0, 0000:65:00.0/0"
    assert wide.stderr.splitlines()[-1] == "1 service: 1 pod on 4 partitions of 4 GPUs, 0 waiting, 0 mode changes"
    answer = planned("-f", files)
    assert (answer["services"][0]["partition_count"], answer["partitions"], answer["gpus"]) == (4, 4, 4)


def test_wide_has_a_row_a_place(write: Write) -> None:
    files = write(service("chat", replicas=2))
    assert [row[4:] for row in cells(invoke("-f", files).stdout)] == [["2", "gpu-b", "CPX/NPS4"]]
    assert [row[4:] for row in cells(invoke("-f", files, "-o", "wide").stdout)] == [
        ["1", "gpu-b", "CPX/NPS4", "0000:05:00.0/0"],
        ["1", "gpu-b", "CPX/NPS4", "0000:05:00.0/1"],
    ]
    waits = cells(invoke("-f", write(service("giant", HUGE)), "-o", "wide").stdout)
    assert [row[4:] for row in waits] == [["1", "waits", "-", "-"]]


@pytest.mark.parametrize("form", ["table", "wide"])
def test_who_shares_a_partition_is_told_and_it_counts_once(write: Write, form: str) -> None:
    result = invoke("-f", write(promised("a", 0), promised("b", 0), service("c")), "-o", form)
    assert "team/a and team/b share gpu-b 0000:05:00.0/" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("3 services: 3 pods on 2 partitions of 1 GPU, 0 waiting")
    alone = invoke("-f", write(promised("a", 0)), "-o", form)
    assert "share" not in alone.stdout


def test_on_a_terminal_of_80_columns_names_and_needs_are_whole(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.cli.output.NOT_A_TERMINAL", 80)
    result = invoke("-f", write(service("assistant-of"), service("x", WHOLE)))
    assert max(map(len, result.stdout.splitlines())) <= 80
    parts = {cell for row in cells(result.stdout) for cell in row}
    assert {"Llama-3.3-70B-Instruct", "bf16", "19766 MiB", "162709 MiB", "CPX/NPS4"} <= parts


@pytest.mark.parametrize("form", ["table", "json"])
def test_who_waits_ends_with_a_code_of_its_own_where_it_is_asked_for(write: Write, form: str) -> None:
    files = write(service("chat"), service("giant", HUGE, replicas=2), service("unknown", "nobody/knows"))
    usual, asked = (invoke("-f", files, "-o", form, *more) for more in ([], ["--require-placed"]))
    assert (usual.exit_code, asked.exit_code) == (0, ExitCode.WOULD_WAIT)
    assert asked.stdout == usual.stdout
    error = "error: --require-placed: pods of team/giant and team/unknown would wait\n"
    assert asked.stderr == usual.stderr + error


@pytest.mark.parametrize("replicas", [0, 1])
def test_all_that_have_a_place_are_fine(write: Write, replicas: int) -> None:
    assert invoke("-f", write(service("chat", replicas=replicas)), "--require-placed").exit_code == 0
