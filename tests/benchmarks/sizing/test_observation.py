from pathlib import Path

import pytest

from tests.benchmarks.controller.settings import SettingsError
from tests.benchmarks.sizing.observation import FILE, read

HEADER = "obs_id,model,gpu,engine,outcome,tensor_parallel,kv_tokens,source\n"


def written(folder: Path, rows: str) -> Path:
    path = folder / "rows.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    return path


def test_all_bundled_rows_are_read() -> None:
    rows, unreadable = read(FILE)
    assert (len(rows), unreadable) == (131, ())


def test_an_empty_field_says_nothing_and_missing_columns_are_empty(tmp_path: Path) -> None:
    rows, _ = read(written(tmp_path, 'A,a/b,MI300X,vllm,ok,,"1,024",x\n'))
    assert (rows[0].tensor_parallel, rows[0].kv_tokens, rows[0].engine_version) == (None, 1024, "")


def test_a_field_of_another_kind_makes_its_row_unreadable(tmp_path: Path) -> None:
    rows, unreadable = read(written(tmp_path, "A,a/b,MI300X,vllm,ok,two,,x\nB,a/b,MI300X,vllm,ok,2,,x\n"))
    assert [row.label for row in rows] == ["B"]
    assert (unreadable[0].label, unreadable[0].reason) == ("A", "tensor_parallel is 'two', not a number")


@pytest.mark.parametrize("text", ["nan", "inf", "1e999"])
def test_what_is_no_finite_number_is_unreadable(tmp_path: Path, text: str) -> None:
    _, unreadable = read(written(tmp_path, f"A,a/b,MI300X,vllm,ok,1,{text},x\n"))
    assert unreadable[0].reason == f"kv_tokens is {text!r}, not a number"


def test_half_a_rank_is_unreadable(tmp_path: Path) -> None:
    rows, unreadable = read(written(tmp_path, "A,a/b,MI300X,vllm,ok,1.5,,x\nB,a/b,MI300X,vllm,ok,2.0,,x\n"))
    assert (rows[0].tensor_parallel, unreadable[0].reason) == (2, "tensor_parallel is '1.5', not a whole number")


def test_a_file_without_rows_is_refused_as_such(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a header and no rows"):
        read(written(tmp_path, ""))


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "", "\x00"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="observations"):
        read(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        read(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("source", "want"),
    [
        ("kyuz0/boxes: folder/log", "kyuz0/boxes"),
        ("jgchn/planner, branch accuracy: logs/x", "jgchn/planner"),
        (
            "public file, repository name not recorded; text hint: x",
            "public file, repository name not recorded; text hint: x",
        ),
    ],
)
def test_an_origin_is_whose_rows_count_together(tmp_path: Path, source: str, want: str) -> None:
    rows, _ = read(written(tmp_path, f'A,a/b,MI300X,vllm,ok,1,,"{source}"\n'))
    assert rows[0].origin == want
