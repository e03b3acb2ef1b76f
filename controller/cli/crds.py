"""``aim-gpu crds``: the CustomResourceDefinitions, for ``kubectl apply -f -``.

They are printed as `make generate` wrote them: to make them of the models takes four times as long as all else here.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from api import openapi
from controller.cli.at_once_parser import AtOnceParser

GENERATED: Final = Path(openapi.__file__).with_name("crds.yaml")
"""All of them as one text. A test compares it with the models."""


def run(arguments: Sequence[str]) -> int:
    """Answer the command with these arguments; its exit code. argparse exits by itself for what it cannot parse."""
    parser().parse_args(arguments)
    sys.stdout.write(GENERATED.read_text(encoding="utf-8"))
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command takes: nothing."""
    return AtOnceParser("crds", "Print the CustomResourceDefinitions of all kinds as YAML documents.")
