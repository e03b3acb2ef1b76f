"""`python -m e2e.image`: what `make image` runs."""

import sys

from e2e.image import ImageError, build_image
from e2e.plane import PlaneError, Progress


def main() -> int:
    """Exit code 0 with name, digest, size and archive on stdout; 1 with the reason on stderr."""
    try:
        image = build_image(Progress())
    except (ImageError, PlaneError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{image.name} {image.digest}\n{image.size / 1e6:.0f} MB in layers, {image.archive}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
