"""``aim-gpu rocm``: the release of a folder, and whether it is new enough."""

from pathlib import Path

import pytest
import typer

from controller.cli.rocm import VERSION_FILE, Version, parsed, rocm


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A folder with ROCm 6.4.1."""
    file = tmp_path / VERSION_FILE
    file.parent.mkdir()
    file.write_text("6.4.1-83\n")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("6.4.1-83", (6, 4, 1)),
        ("7.0", (7, 0, 0)),
        ("10.2.3", (10, 2, 3)),
        ("6.4.0.60400-47~22.04", (6, 4, 0)),
        ("", None),
        ("six", None),
        ("6", None),
    ],
)
def test_versions_are_read_as_releases_write_them(text: str, want: Version | None) -> None:
    assert parsed(text) == want


@pytest.mark.parametrize("oldest", [None, "6.4.1", "6.4", "5.7.3"])
def test_a_release_that_is_new_enough_is_told(
    release: Path, oldest: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    rocm(path=release, at_least=oldest)

    assert capsys.readouterr().out == f"{release}: ROCm 6.4.1-83\n"


@pytest.mark.parametrize("oldest", ["6.4.2", "6.10.0", "7.0"])
def test_an_older_one_is_not_taken(release: Path, oldest: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        rocm(path=release, at_least=oldest)

    assert ended.value.exit_code == 1
    assert f"holds ROCm 6.4.1-83, older than {oldest}; install a newer ROCm" in capsys.readouterr().err


def test_a_folder_without_a_release_is_told_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        rocm(path=tmp_path, at_least="6.4.0")

    assert ended.value.exit_code == 1
    assert "No such file or directory: no ROCm release is there; install ROCm on this node from 6.4.0 on" in (
        capsys.readouterr().err
    )


def test_a_file_that_tells_no_version_is_not_taken_for_one(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (release / VERSION_FILE).write_text("unknown\n")

    with pytest.raises(typer.Exit):
        rocm(path=release)

    assert "'unknown' is no version" in capsys.readouterr().err


def test_a_limit_that_is_no_version_is_refused(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        rocm(path=release, at_least="latest")

    assert ended.value.exit_code == 2
    assert "--at-least 'latest': is no version" in capsys.readouterr().err
