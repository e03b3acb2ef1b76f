"""Writes the modules of the kubelet's messages from the published definitions: `python -m` this, then commit."""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = Path("controller/agent/kubelet")
NAMES = ("pod_resources", "dra", "plugin_registration", "device_plugin")
DEFINITIONS = tuple(FOLDER / f"{name}.proto" for name in NAMES)

_HEADERS = {
    "_pb2.py": "# ruff: noqa\n# fmt: off\n",
    "_pb2.pyi": '# ruff: noqa\n# fmt: off\n# mypy: disable-error-code="type-arg"\n',
}


def generated() -> dict[str, str]:
    """The modules' texts by file name, as the locked compiler writes them."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = [f"--python_out={folder}", f"--pyi_out={folder}"]
        command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", *outputs, *map(str, DEFINITIONS)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return {
            f"{name}{end}": header + (Path(folder) / FOLDER / f"{name}{end}").read_text()
            for name in NAMES
            for end, header in _HEADERS.items()
        }


if __name__ == "__main__":
    for name, text in generated().items():
        (ROOT / FOLDER / name).write_text(text)
