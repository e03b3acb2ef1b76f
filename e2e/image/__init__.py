"""Our image without a Docker engine: carries the Dockerfile out and writes an archive that containerd imports.

    Dockerfile -> steps -> [chroot in private namespaces, on a tmpfs] -> layers (kept by content) -> OCI archive

The Dockerfile is the one source. Two things differ from what a Docker engine makes of it. The base, which no package
registry has, is made anew from Debian's packages of the same release, as Debian makes its own (`debian.py`). And
layers do not record the time of the build: the same input gives the same digest. Needs Linux, root and Debian's apt.

Beside the build: whether the Dockerfile keeps its rules (`rules.py`, `installs.py` with its table `allowed.py`), the
image's start as pods do it (`trial.py`), its size, and the list of its parts (`sbom.py`); `check.py` puts them
together (docs/image.md).

    from e2e.image import build_image
    from e2e.plane import Progress

    image = build_image(Progress())  # a second or less when nothing has changed
    print(image.name, image.digest, image.archive)
"""

from e2e.image.build import BuiltImage, build_image
from e2e.image.errors import DockerfileError, ImageError, PrerequisiteMissing, StepFailed

__all__ = ["BuiltImage", "DockerfileError", "ImageError", "PrerequisiteMissing", "StepFailed", "build_image"]
