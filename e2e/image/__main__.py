"""`python -m e2e.image [build|sbom]`: what `make image` runs, and the list of an image's parts."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from e2e.image import ImageError, build_image
from e2e.image.build import ROOT
from e2e.image.sbom import sbom
from e2e.plane import PlaneError, Progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 with what was made on stdout; 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m e2e.image", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["build", "sbom"], default="build")
    parser.add_argument(
        "--archive", type=Path, help="sbom: an image, as an OCI layout in tar or of docker save; else ours"
    )
    parser.add_argument("--out", type=Path, help="sbom: the file to write, CycloneDX in JSON")
    options = parser.parse_args(arguments)
    if options.what == "sbom" and options.out is None:
        parser.error("sbom: --out is missing: say where to write to")
    try:
        told = _built() if options.what == "build" else _listed(options.archive, options.out)
    except (ImageError, PlaneError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(told)
    return 0


def _built() -> str:
    image = build_image(Progress())
    return f"{image.name} {image.digest}\n{image.size / 1e6:.0f} MB in layers, {image.archive}\n"


def _listed(archive: Path | None, out: Path) -> str:
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    document = sbom(archive or build_image(Progress()).archive, lock)
    unfinished = out.with_name(f"{out.name}.part")
    unfinished.write_text(document, encoding="utf-8")
    unfinished.replace(out)
    return f"{out}\n"


if __name__ == "__main__":
    sys.exit(main())
