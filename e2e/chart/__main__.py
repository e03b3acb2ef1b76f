"""Writes the manifests: `python -m e2e.chart --into charts/install`."""

import argparse
import sys
from pathlib import Path

from e2e.chart.helm import Helm
from e2e.chart.install_manifest import install_manifests
from e2e.plane import PlaneError


def main() -> int:
    """Write them; exit code 1 with one line where Helm cannot be built or refuses the chart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, required=True, help="the folder of the manifests")
    folder: Path = parser.parse_args().into
    try:
        texts = install_manifests(Helm.built())
    except PlaneError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
