"""Pages that the site shows and that stand outside of `docs/`, where people who read the repository look for them."""

from pathlib import Path
from typing import Final

from dashboards.documentation import ROOT as PAGES

ROOT: Final = Path(__file__).parents[1]
REPOSITORY: Final = PAGES.removesuffix("/blob/main/docs")
"""Where the source is read, for links to what is no page."""

_FIXED: Final = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "charts/aim-gpu-sharing/README.md": "values.md",
    "controller/runtime/README.md": "runtime.md",
    "examples/README.md": "examples/README.md",
}


def borrowed() -> dict[str, str]:
    """Each such page, by its path in the repository: its path on the site. Stories are found by their README."""
    stories = sorted((ROOT / "examples").glob("*/README.md"))
    return _FIXED | {str(path.relative_to(ROOT)): f"examples/{path.parent.name}.md" for path in stories}
