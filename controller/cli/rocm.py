"""``aim-gpu rocm``: which ROCm a folder holds, and whether it is new enough for an agent that changes modes."""

import re
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.output import failed, refuse

VERSION_FILE = ".info/version"
"""Where each release has its version, such as ``6.4.1-83``."""

Version = tuple[int, int, int]

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?(?:[-.+~ ].*)?")


def rocm(
    path: Annotated[Path, typer.Option(help="The folder of a ROCm release.")] = Path("/opt/rocm"),
    at_least: Annotated[str | None, typer.Option(help="The oldest release to be content with, such as 6.4.0.")] = None,
) -> None:
    """Tell which ROCm a folder holds; exit code 1 where there is none, or one older than asked for."""
    oldest = parsed(at_least) if at_least is not None else None
    if at_least is not None and oldest is None:
        refuse(f"--at-least {at_least!r}: is no version; write it as 6.4.0")
    file = path / VERSION_FILE
    try:
        told = file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise failed(
            f"{file}: {error.strerror or error}: no ROCm release is there; install ROCm on this node"
            f"{f' from {at_least} on' if at_least else ''}, or name the folder that holds it"
        ) from error
    found = parsed(told)
    if found is None:
        raise failed(f"{file}: {told[:80]!r} is no version; install ROCm on this node anew")
    if oldest is not None and found < oldest:
        raise failed(f"{path}: holds ROCm {told}, older than {at_least}; install a newer ROCm on this node")
    typer.echo(f"{path}: ROCm {told}")


def parsed(text: str) -> Version | None:
    """Major, minor and patch level, 0 where none is named; None for what is no version."""
    match = _VERSION.fullmatch(text.strip())
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None
