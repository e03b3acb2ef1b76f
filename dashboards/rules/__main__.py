"""``python -m dashboards.rules --out dashboards/rules`` writes both files."""

import argparse
from pathlib import Path

from dashboards.rules.files import files


def main() -> None:
    """Write the rules' files."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.rules", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    for name, content in files().items():
        (out / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
