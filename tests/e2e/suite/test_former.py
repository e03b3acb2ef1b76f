"""Release 0.1.0 as the scenarios of an upgrade install it."""

import subprocess

import pytest

from e2e.suite import former
from tests.architecture.source import ROOT


def containers() -> list[str]:
    """The images of its pods."""
    return [
        container["image"]
        for one in former.objects("somewhere/else:1")
        for container in one.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ())
    ]


def test_its_pods_run_the_image_that_is_wanted() -> None:
    assert containers() == ["somewhere/else:1"] * 2


def test_there_is_one_agent_and_it_simulates() -> None:
    (agent,) = [one for one in former.objects("x:1") if one["kind"] == "DaemonSet"]
    assert "--kubelet-plugin=dra" in agent["spec"]["template"]["spec"]["containers"][0]["args"]


def test_every_definition_of_it_is_there() -> None:
    assert len(former.definitions()) == len(list((ROOT / "e2e/releases/0.1.0/crds").glob("*.yaml")))


def test_its_commit_holds_what_the_folder_keeps() -> None:
    """Where the history is there; a shallow clone has none."""
    lock = ["git", "-C", str(ROOT), "show", f"{former.commit()}:uv.lock"]
    done = subprocess.run(lock, capture_output=True, timeout=30, check=False)
    if done.returncode:
        pytest.skip("a shallow clone: git does not have that commit")
    assert done.stdout == (ROOT / "e2e/releases/0.1.0/uv.lock").read_bytes()


def test_a_commit_that_is_not_there_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(former, "commit", lambda: "0" * 40)
    with pytest.raises(former.NoSuchCommit, match="git fetch --unshallow"):
        former.build_former_image(None)  # type: ignore[arg-type]  # nothing is built
