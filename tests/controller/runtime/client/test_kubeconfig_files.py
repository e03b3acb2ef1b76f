"""Several kubeconfigs are merged as kubectl does, and what has another shape is named."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.runtime.client.configuration import AuthProvider, ClientConfiguration, ConfigurationError
from controller.runtime.client.kubeconfig import read_kubeconfig, read_kubeconfigs


def write(path: Path, **top: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(top))
    return path


def context(name: str, cluster: str, user: str) -> dict[str, Any]:
    return {"name": name, "context": {"cluster": cluster, "user": user}}


def cluster(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "cluster": {"server": f"https://{name}", **fields}}


def user(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "user": fields}


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    """A context in the first file whose cluster and user are in the second; both have a user `u`."""
    first = write(
        tmp_path / "a" / "k",
        contexts=[context("c", "k", "u")],
        users=[user("u", tokenFile="t")],
        **{"current-context": "c"},
    )
    second = write(
        tmp_path / "b" / "k",
        contexts=[context("d", "k", "v")],
        clusters=[cluster("k", **{"certificate-authority": "ca.crt"})],
        users=[user("u", token="second"), user("v", **{"auth-provider": {"name": "oidc"}})],
        **{"current-context": "d"},
    )
    return [first, second]


def test_the_first_of_each_entry_counts_and_paths_begin_at_its_file(two: list[Path]) -> None:
    found = read_kubeconfigs(two)
    assert (found.server, found.token, found.token_file) == ("https://k", None, two[0].parent / "t")
    assert found.ca == str(two[1].parent / "ca.crt")


def test_the_first_current_context_counts(two: list[Path]) -> None:
    assert read_kubeconfigs(two[::-1]).plugin == AuthProvider(two[1], "d", (two[1], two[0]))


def test_missing_files_are_passed_over(two: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, [tmp_path / "none", *two])))
    assert ClientConfiguration.load().server == "https://k"


def test_files_that_are_all_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"KUBECONFIG {tmp_path}/a, {tmp_path}/b: no such files"):
        read_kubeconfigs([tmp_path / "a", tmp_path / "b"])


GOOD: dict[str, Any] = {
    "current-context": "c",
    "contexts": [context("c", "k", "u")],
    "clusters": [cluster("k")],
    "users": [user("u", token="t")],
}


@pytest.mark.parametrize(
    ("top", "want"),
    [
        pytest.param({"contexts": {"c": {}}}, "contexts: a mapping; give a list", id="contexts as a mapping"),
        pytest.param({"clusters": ["k"]}, r"clusters\[0\]: text; give a mapping", id="a cluster as text"),
        pytest.param({"users": [{"name": "u", "user": "x"}]}, "user: text; give a mapping", id="a user as text"),
        pytest.param({"current-context": 7}, "current-context: a value of type int; give text", id="a numeric context"),
        pytest.param({"users": [user("u", token=7)]}, "user 'u': token: a value of type int", id="a numeric token"),
        pytest.param({"users": [user("u", exec=["x"])]}, "user 'u': exec: a list; give a map", id="exec as a list"),
        pytest.param(
            {"users": [user("u", **{"as": "x", "as-groups": "g"})]}, "as-groups: text; give a list", id="groups as text"
        ),
        pytest.param(
            {"clusters": [cluster("k", **{"proxy-url": "http://p"})]},
            "cluster 'k': proxy-url: not supported; remove it",
            id="a proxy",
        ),
        pytest.param({"users": [user("u", username="x")]}, "user 'u': username: API servers", id="a user's name"),
        pytest.param({"users": [user("u", password="PLANTED")]}, "password: .*; give a token", id="a password"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(tmp_path: Path, top: dict[str, Any], want: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{tmp_path}/k: .*{want}") as caught:
        read_kubeconfig(write(tmp_path / "k", **{**GOOD, **top}))
    assert "PLANTED" not in str(caught.value)


def test_broken_yaml_is_told_by_its_place_only(tmp_path: Path) -> None:
    (tmp_path / "k").write_text("users:\n- token: PLANTED: x\n")
    with pytest.raises(ConfigurationError, match=r"not YAML \(line 2, column \d+\)") as caught:
        read_kubeconfig(tmp_path / "k")
    assert caught.value.__context__ is None
    assert "PLANTED" not in str(caught.value)
