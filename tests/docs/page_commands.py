"""The shell commands of a page, run as they stand there."""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parents[2] / "docs"
_BLOCK: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LIMIT_SECONDS: Final = 120.0


def block(page: str, section: str) -> str:
    """The only block of shell commands under a heading of second degree."""
    text = (DOCS / page).read_text()
    beginning = text.index(f"\n## {section}\n")
    end = text.find("\n## ", beginning + 1)
    (found,) = _BLOCK.findall(text[beginning : end if end > 0 else len(text)])
    return str(found)


async def run(
    commands: str, kubeconfig: Path, home: Path, *, folder: Path | None = None, columns: int = 120, **words: str
) -> str:
    """Run commands in a folder (or in `home`), `words` put in for those in capitals; what they print.

    They have two minutes, and a terminal of so many columns. What kubectl keeps goes to `home`.
    """
    for word, value in words.items():
        commands = re.sub(rf"\b{word}\b", value, commands)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-u", "-o", "pipefail", "-c", commands),
        cwd=folder or home,
        env={
            "PATH": path,
            "HOME": str(home),
            "KUBECONFIG": str(kubeconfig),
            "COLUMNS": str(columns),
            "EDITOR": "true",  # who edits changes nothing
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            told, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, f"{commands}: {told.decode(errors='replace')}"
    return told.decode()
