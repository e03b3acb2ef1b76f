"""A cache of its own for a test's images."""

import os
import shutil
from pathlib import Path

from e2e.plane.cache import cache_root


def cache(folder: Path) -> Path:
    """It knows the layers of our image, the base among them."""
    unfinished = shutil.ignore_patterns(".*", "*.part")  # of builds under way
    shutil.copytree(cache_root() / "image/layers", folder / "layers", copy_function=os.link, ignore=unfinished)
    return folder
