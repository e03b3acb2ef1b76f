"""A page's commands run on a cluster, and what it says of their answers."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.docs.blocks import COMMANDS, ROOT, blocks, statements
from tests.docs.page_commands import run
from tests.docs.shown_output import differs
from tests.integration.operator.running import Running


@dataclass(frozen=True, slots=True)
class Told:
    """The commands of one block, and what the page says that all of them print, if anything."""

    heading: str
    commands: str
    answer: str | None


def told(page: Path) -> list[Told]:
    """The blocks of commands of a page, each with the block of output that follows it."""
    found: list[Told] = []
    for block in blocks(page):
        if block.language in COMMANDS:
            found.append(Told(block.heading, block.text, None))
        elif block.language == "" and found and found[-1].answer is None:
            found[-1] = Told(found[-1].heading, found[-1].commands, block.text)
    return found


async def play(page: Path, cluster: Running, home: Path) -> int:
    """Run a page's commands in their order, in one shell's environment; how many there were. Fails where one differs."""
    count = 0
    variables = ""
    for part in told(page):
        wanted = statements(part.commands)
        count += len(wanted)
        script = _long("\n".join(wanted), cluster)
        printed = await run(f"{variables}{script}", cluster.plane.kubeconfig, home, folder=ROOT, columns=200)
        variables += "".join(f"{one}\n" for one in wanted if one.partition("=")[0].isupper() and "\n" not in one)
        if part.answer is not None:
            found = differs(part.answer, _short(printed, cluster))
            assert found is None, f"{part.heading}: {found}"
    return count


def _long(text: str, cluster: Running) -> str:
    """Names of nodes as the cluster has them."""
    for short, real in cluster.names.items():
        text = re.sub(rf"\b{short}\b", real, text)
    return text


def _short(text: str, cluster: Running) -> str:
    """Names of nodes as the pages have them."""
    for short, real in cluster.names.items():
        text = text.replace(real, short)
    return text
