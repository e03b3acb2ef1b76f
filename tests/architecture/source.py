"""The project's own source, for tests about it."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SHIPPED = ("api", "controller")


def files(*folders: str) -> list[Path]:
    """Every Python file under the folders, in order."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def module(path: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())
