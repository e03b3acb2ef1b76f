"""Publishing, with the real Helm into a registry in memory; Docker and cosign are programs that write down what is asked of them."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from e2e.chart import Helm
from e2e.commands import StepFailed
from e2e.publish.__main__ import push_to
from e2e.publish.steps import Places, digest_in, signed
from tests.architecture.source import ROOT, project
from tests.e2e.image.small_image import FILES, saved
from tests.e2e.publish.registry import Registry, digest_of, registry

VERSION = project()["project"]["version"]
IMAGE_DIGEST = f"sha256:{'a' * 64}"
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $@" >> "{folder}/asked"
{then}
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What Docker and cosign were asked, a line each."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "asked"


def program(folder: Path, name: str, then: str = "") -> None:
    """Put a program on PATH."""
    (folder / name).write_text(PROGRAM.format(folder=folder, then=then), encoding="utf-8")
    (folder / name).chmod(0o755)


def places(server: Registry, folder: Path, helm: Helm) -> Places:
    """Where to."""
    return Places(f"{server.host}/us", VERSION, ROOT, folder, helm.binary, Path(sys.executable), plain_http=True)


def docker(folder: Path, repository: str, files: Mapping[str, str] = FILES) -> None:
    """A Docker that has the image from another registry, too, and of these files."""
    made = saved(folder / "made.tar", files)
    save = f'[ "$1" = save ] && cp {made} "$3"'
    inspect = f'[ "$2" = inspect ] && printf "other/one@sha256:{"b" * 64}\\n{repository}@{IMAGE_DIGEST}\\n"; exit 0'
    program(folder, "docker", f"{save}\n{inspect}")


def test_image_and_chart_are_pushed_and_signed_by_digest(asked: Path, tmp_path: Path, helm: Helm) -> None:
    with registry() as server:
        wanted = places(server, tmp_path, helm)
        docker(tmp_path, wanted.image)
        program(tmp_path, "cosign")
        pushed = push_to(wanted)
        manifest = server.kept[f"/v2/us/charts/aim-gpu-sharing/manifests/{VERSION}"]
    assert pushed == {
        "image": f"{server.host}/us/aim-gpu-sharing",
        "image-digest": IMAGE_DIGEST,
        "chart": f"{server.host}/us/charts/aim-gpu-sharing",
        "chart-digest": digest_of(manifest),
    }
    assert json.loads(manifest)["config"]["mediaType"] == "application/vnd.cncf.helm.config.v1+json"
    assert asked.read_text(encoding="utf-8").splitlines() == [
        f"docker build --pull --tag {wanted.image}:{VERSION} {ROOT}",
        f"docker save --output {wanted.saved} {wanted.image}:{VERSION}",
        f"docker push {wanted.image}:{VERSION}",
        f"docker image inspect --format {{{{range .RepoDigests}}}}{{{{println .}}}}{{{{end}}}} {wanted.image}:{VERSION}",
        f"cosign sign --yes {wanted.image}@{IMAGE_DIGEST}",
        f"cosign attest --yes --type cyclonedx --predicate {wanted.parts} {wanted.image}@{IMAGE_DIGEST}",
        f"cosign sign --yes {wanted.chart}@{pushed['chart-digest']}",
    ]
    assert {one["name"] for one in json.loads(wanted.parts.read_text(encoding="utf-8"))["components"]} >= {
        "kmod",
        "flask",
    }
    assert not wanted.saved.exists()


def test_an_image_with_something_in_no_list_is_not_pushed(asked: Path, tmp_path: Path, helm: Helm) -> None:
    with registry() as server:
        wanted = places(server, tmp_path, helm)
        docker(tmp_path, wanted.image, {**FILES, "usr/bin/tool": ""})
        with pytest.raises(StepFailed, match=r"leaves out what these files are of: usr/bin/tool"):
            push_to(wanted)
        assert server.kept == {}
    assert [line.split()[1] for line in asked.read_text(encoding="utf-8").splitlines()] == ["build", "save"]
    assert not wanted.saved.exists()


def test_no_chart_is_pushed_whose_image_could_not_be_signed(
    asked: Path, tmp_path: Path, helm: Helm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("e2e.commands._FIRST_PAUSE_SECONDS", 0.0)
    with registry() as server:
        wanted = places(server, tmp_path, helm)
        docker(tmp_path, wanted.image)
        program(tmp_path, "cosign", "echo no identity >&2; exit 1")
        with pytest.raises(StepFailed, match="no identity"):
            push_to(wanted)
        assert server.kept == {}


def test_only_what_a_digest_names_is_signed() -> None:
    with pytest.raises(ValueError, match="only what a digest names is signed"):
        signed("ghcr.io/us/aim-gpu-sharing:0.2.0")


@pytest.mark.parametrize(
    ("told", "repository"),
    [("", ""), (f"a@{IMAGE_DIGEST}", "b"), (f"x {IMAGE_DIGEST}\nx sha256:{'c' * 64}", "")],
    ids=["nothing", "of another place", "two"],
)
def test_a_digest_that_is_not_told_is_not_guessed(told: str, repository: str) -> None:
    with pytest.raises(ValueError, match="digests in what was to tell one"):
        digest_in(told, repository)
