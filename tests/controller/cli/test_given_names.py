"""Names on the command line: what nothing can be called is bad input, before anybody is asked."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from controller.cli.given_names import namespace_name, object_name, object_names
from controller.entrypoints.main import command_line


@pytest.mark.parametrize("given", ["gpu-a", "a", "node.example.org", "0", "a" * 253])
def test_what_objects_can_be_called_is_taken(given: str) -> None:
    assert object_name(given) == given


@pytest.mark.parametrize(
    "given", ["", "..", ".", "a/b", "../x", "Node", "a b", "-a", "a-", "a_b", "a..b", "é", "a" * 254]
)
def test_what_no_object_can_be_called_is_refused(given: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no name: it has at most 253 lower-case letters"):
        object_names(["gpu-a", given])


@pytest.mark.parametrize("given", ["", "..", "a.b", "a/b", "Team", "a" * 64])
def test_what_no_namespace_can_be_called_is_refused(given: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no namespace: its name has at most 63"):
        namespace_name(given)


def test_what_is_left_out_stays_so() -> None:
    assert (namespace_name(None), object_names(None)) == (None, None)


@pytest.mark.parametrize(
    "arguments",
    [
        ("top", "a/b"),
        ("top", "-n", ".."),
        ("drain", ".."),
        ("drain", "gpu-a", "--system-namespace", "a/b"),
        ("approve", "..", "--yes"),
        ("rollback", "", "--yes"),
        ("diagnose", "-n", "../x"),
        ("explain", "pod/a", "-n", "A"),
        ("explain", "pod/.."),
        ("release", "--all", "--dry-run", "--system-namespace", ".."),
    ],
    ids=" ".join,
)
def test_every_verb_refuses_them_without_a_cluster(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "users: [{name: c, user: {}}]\ncontexts: [{name: c, context: {cluster: c, user: c}}]\n"
    )
    found = CliRunner().invoke(
        command_line(arguments[0]), [*arguments, "--kubeconfig", str(tmp_path / "kubeconfig")], catch_exceptions=False
    )
    assert found.exit_code == 2, found.output
