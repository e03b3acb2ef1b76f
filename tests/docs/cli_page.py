"""docs/cli.md: what its commands answer, before a small fleet that a fake API server has.

``python -m tests.docs.cli_page`` writes the answers anew, and the table of exit codes; look at the difference.
"""

import asyncio
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from api.openapi.marked_page import with_tables
from controller.cli.exit_codes import table
from tests.controller.cli.conftest import KUBECONFIG
from tests.controller.cli.fleet_scene import FleetServer
from tests.docs.page_commands import DOCS, run

PAGE: Final = DOCS / "cli.md"
ROOT: Final = DOCS.parent
_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: The longest answer that the page shows, lines; the middle of a longer one is left out.
MOST_LINES: Final = 24
FILES: Final = {
    "nodes.yaml": "nodes: [{name: one, product: MI300X, gpus: 2, mode: CPX/NPS4}]\n",
    "chat.yaml": (
        "apiVersion: aim.amd.com/v1beta1\nkind: InferenceService\nmetadata: {name: new, namespace: team-a}\n"
        "spec: {model: {id: Qwen/Qwen3-4B}, replicas: 2}\n"
    ),
    "trace-nodes.csv": "sn,cpu_milli,memory_mib,gpu,model\n" + "".join(f"n{n},96000,786432,8,A100\n" for n in range(4)),
    "trace-pods.csv": "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n"
    + "".join(f"p{n},4000,16384,1,{(n % 4 + 1) * 250},\n" for n in range(40)),
}


def commands(page: str) -> list[list[str]]:
    """The commands of each block."""
    return [[line[2:] for line in block.splitlines() if line.startswith("$ ")] for block in _BLOCK.findall(page)]


async def answered(block: list[str], folder: Path) -> str:
    """The block with what its commands answer now, in this folder, before a fleet of its own."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "examples").symlink_to(ROOT / "examples")
    server, kubeconfig = FleetServer(), folder / "kubeconfig"
    async with server:
        kubeconfig.write_text(KUBECONFIG.format(current="fake", url=server.url))
        told = [(command, await run(command, kubeconfig, folder, columns=100)) for command in block]
    return "".join(f"$ {command}\n{_shortened(answer)}" for command, answer in told)


def blocks(page: str) -> list[str]:
    """The blocks as they stand there."""
    return [str(block) for block in _BLOCK.findall(page)]


def _shortened(answer: str) -> str:
    lines = [line.rstrip() for line in answer.splitlines()]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 6], "...", *lines[-5:]]
    return "".join(f"{line}\n" for line in lines)


def written(page: str, told: Iterator[str]) -> str:
    """The page with these answers and the table as it is."""
    filled = _BLOCK.sub(lambda _: f"```console\n{next(told)}```", page)
    return with_tables(filled, {"exit codes": table()})


def main() -> None:
    page, told = PAGE.read_text(encoding="utf-8"), []
    for block in commands(page):
        with tempfile.TemporaryDirectory() as folder:
            told.append(asyncio.run(answered(block, Path(folder))))
    PAGE.write_text(written(page, iter(told)), encoding="utf-8")


if __name__ == "__main__":
    main()
