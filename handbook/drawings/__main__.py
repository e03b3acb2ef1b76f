"""``python -m handbook.drawings --out FOLDER`` writes every picture there."""

import argparse
from pathlib import Path

from handbook.drawings.gallery import PICTURES


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description="Write the documentation's pictures.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the files")
    out = parser.parse_args().out
    for draw in PICTURES:
        picture = draw()
        (out / f"{picture.name}.svg").write_text(picture.svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
