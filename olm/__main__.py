"""Writes the bundle and what goes beside it: ``python -m olm --out olm``."""

import argparse
from pathlib import Path

from olm.files import files


def main() -> None:
    """Write all files below the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the files")
    out: Path = parser.parse_args().out
    for name, text in files().items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
