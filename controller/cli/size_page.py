"""The examples in docs/sizing-examples.md, each a command and what it answers.

``python -m controller.cli.size_page --into docs/sizing-examples.md`` writes them between their marks; a test compares.
"""

import io
import shlex
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from types import MappingProxyType
from typing import Final

from api.openapi.marked_page import with_tables, write_page
from controller.cli.size import run

EXAMPLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dense": "meta-llama/Llama-3.1-8B-Instruct --precision fp8 --gpu MI300X",
        "experts": "Qwen/Qwen3-30B-A3B --max-model-len 32768 --gpu MI300X",
        "latent": "deepseek-ai/DeepSeek-V3 --max-model-len 32768 --gpu MI300X",
        "windows": "google/gemma-3-12b-it --max-model-len 131072 --max-concurrency 4 --gpu MI300X",
        "hybrid": "Qwen/Qwen3-Coder-Next --precision fp8 --max-model-len 262144 --gpu MI300X",
        "multimodal": "meta-llama/Llama-3.2-11B-Vision-Instruct --gpu MI300X",
        "partition": "meta-llama/Llama-3.1-8B-Instruct --precision fp8 --partition CPX/NPS4",
        "refused": "Qwen/Qwen3-8",
    }
)
"""Arguments of ``aim-gpu size`` by the example's name on the page."""


def example(arguments: str) -> str:
    """The command and what it writes, as a terminal shows both."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        run(shlex.split(arguments))
    return f"```\n$ aim-gpu size {arguments}\n{err.getvalue()}{out.getvalue()}```\n"


def filled(page: str) -> str:
    """The page with every example as it answers now. Raises ValueError for a mark that is not there."""
    return with_tables(page, {name: example(arguments) for name, arguments in EXAMPLES.items()})


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the examples into the page named by ``--into``."""
    write_page(filled, __doc__, arguments)


if __name__ == "__main__":
    main()
