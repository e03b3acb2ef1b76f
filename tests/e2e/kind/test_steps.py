from pathlib import Path

import yaml

from e2e.kind.__main__ import BUILD
from e2e.kind.steps import IMAGE, Programs, down, up
from tests.architecture.source import ROOT

WORKFLOW = ROOT / ".github/workflows/e2e.yaml"
PROGRAMS = Programs(Path("/kind"), Path("/kubectl"))


def test_logs_are_taken_before_the_cluster_goes(tmp_path: Path) -> None:
    assert [command.words[1] for command in down(PROGRAMS, tmp_path)] == ["export", "delete"]


def test_what_kind_up_does_is_bounded_pinned_and_of_one_cluster(tmp_path: Path) -> None:
    commands = up(PROGRAMS, Path("/source"), tmp_path)
    assert all(0 < command.limit <= 900 and command.tries <= 10 for command in commands)
    of_kubectl = [command.words for command in commands if command.words[0] == "/kubectl"]
    assert all(words[1:3] == ("--kubeconfig", str(tmp_path / "kubeconfig")) for words in of_kubectl)
    files = [word for words in of_kubectl for word in words if word.startswith("https://")]
    assert len(files) == 3
    assert [file for file in files if "/latest/" in file or "/v" not in file] == []
    assert [command.words[:4] for command in commands if IMAGE in command.words] == [
        ("docker", "build", "--tag", IMAGE),
        ("/kind", "load", "docker-image", IMAGE),
    ]


def test_the_workflow_of_kind_names_the_cluster_and_the_image_that_kind_up_makes() -> None:
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["kind"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    kubeconfig = up(PROGRAMS, ROOT, BUILD)[1].words[-3]
    assert commands == [
        "make kind-up",
        f"make e2e KUBECONFIG={Path(kubeconfig).relative_to(ROOT)} AIM_E2E_IMAGE={IMAGE}",
        "make kind-down",
    ]
    assert [step["if"] for step in steps if step.get("run") == "make kind-down"] == ["always()"]
    (kept,) = [step["with"]["path"] for step in steps if "upload-artifact" in step.get("uses", "")]
    assert str(ROOT / kept) in down(PROGRAMS, BUILD)[0].words
