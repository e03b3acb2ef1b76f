"""Writes the modules of the kubelet's messages from the published definition: `python -m` this, then commit."""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = Path("controller/agent/kubelet")
DEFINITION = FOLDER / "pod_resources.proto"

_HEADERS = {
    "pod_resources_pb2.py": "# ruff: noqa\n# fmt: off\n",
    "pod_resources_pb2.pyi": '# ruff: noqa\n# fmt: off\n# mypy: disable-error-code="type-arg"\n',
}


def generated() -> dict[str, str]:
    """The modules' texts by file name, as the locked compiler writes them."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"--python_out={folder}", f"--pyi_out={folder}"]
        command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", *outputs, str(DEFINITION)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return {name: header + (Path(folder) / FOLDER / name).read_text() for name, header in _HEADERS.items()}


if __name__ == "__main__":
    for name, text in generated().items():
        (ROOT / FOLDER / name).write_text(text)
