"""The table of all values in the chart's README, written from `values.yaml` and what it says of each.

``python -m e2e.chart.values_page --into charts/aim-gpu-sharing/README.md`` writes it there; a test compares.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from api.openapi.marked_page import with_tables, write_page
from e2e.chart.helm import CHART

_KEY = re.compile(r"( *)([A-Za-z][A-Za-z0-9]*):")
_MARK = "# -- "


def texts(source: str) -> dict[str, str]:
    """What the comments before keys say, by dotted path: from the mark `# -- ` up to the key."""
    found: dict[str, str] = {}
    path: list[str] = []
    said: list[str] = []
    for line in source.splitlines():
        bare = line.strip()
        if bare.startswith("#"):
            said = [bare.removeprefix(_MARK)] if bare.startswith(_MARK) else [*said, bare.lstrip("# ")] if said else []
            continue
        key = _KEY.match(line)
        if key is not None:
            path = [*path[: len(key[1]) // 2], key[2]]
            if said:
                found[".".join(path)] = " ".join(said)
        said = []
    return found


def rows(values: Mapping[str, Any], told: Mapping[str, str], above: str = "") -> Iterator[tuple[str, str, str]]:
    """Path, default and text of every value; an object with a text of its own is one value."""
    for key, value in values.items():
        path = f"{above}.{key}" if above else key
        if isinstance(value, dict) and value and path not in told:
            yield from rows(value, told, path)
        else:
            yield path, json.dumps(value), told.get(path, "")


def table(source: str) -> str:
    """The Markdown table of `values.yaml`."""
    lines = [
        f"| `{path}` | `{default}` | {text} |" for path, default, text in rows(yaml.safe_load(source), texts(source))
    ]
    return "\n".join(["| value | default | is |", "| --- | --- | --- |", *lines])


def filled(page: str) -> str:
    """The page with the table. Raises ValueError where its marks are missing."""
    return with_tables(page, {"values": table((CHART / "values.yaml").read_text(encoding="utf-8"))})


def main(arguments: Sequence[str] | None = None) -> None:
    """Write it into the page named by ``--into``."""
    write_page(filled, __doc__, arguments)


if __name__ == "__main__":
    main()
