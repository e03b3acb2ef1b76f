"""The controller of the runtime's README, as a program of its own on a real control plane."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller import runtime
from e2e.plane import Plane

pytestmark = pytest.mark.plane

README = Path(runtime.__file__).with_name("README.md")
STOP_SECONDS = 60.0


@pytest.fixture
def example(plane: Plane, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The README's program, running; what it says goes to `said.log`."""
    found = re.search(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    program = tmp_path / "fingerprints.py"
    program.write_text(found[1])
    environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig), "PYTHONPATH": str(README.parents[2])}
    with (tmp_path / "said.log").open("wb") as log:
        running = subprocess.Popen([sys.executable, "-W", "error", program], env=environment, stdout=log, stderr=log)
    yield running
    running.kill()
    running.wait()


def config_map(name: str, text: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"fingerprint": "yes"}},
        "data": {"text": text},
    }


def sha256(text: str) -> str:
    return hashlib.sha256(repr([("text", text)]).encode()).hexdigest()


def test_it_does_what_the_readme_says(
    plane: Plane, namespace: str, example: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"

    def told(digest: str) -> bool:
        assert example.poll() is None, (tmp_path / "said.log").read_text()
        made = plane.admin.find(f"{path}/settings-fingerprint")
        return made is not None and made["data"]["sha256"] == digest

    source = plane.admin.create(path, config_map("settings", "one"))
    plane.wait_until(lambda: told(sha256("one")), "a fingerprint was made")
    plane.admin.patch(f"{path}/settings", {"data": {"text": "two"}})
    plane.wait_until(lambda: told(sha256("two")), "the fingerprint follows a change")
    plane.admin.delete(f"{path}/settings-fingerprint")
    plane.wait_until(lambda: told(sha256("two")), "a deleted fingerprint is restored")
    (owner,) = plane.admin.get(f"{path}/settings-fingerprint")["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (source["metadata"]["uid"], True)
    plane.admin.delete(f"{path}/settings")
    plane.wait_until(lambda: plane.admin.find(f"{path}/settings-fingerprint") is None, "it goes with its owner")

    example.send_signal(signal.SIGTERM)
    assert example.wait(STOP_SECONDS) == 0, (tmp_path / "said.log").read_text()
    said = (tmp_path / "said.log").read_text()
    assert f"{namespace}/settings: created" in said
    assert "Traceback" not in said
