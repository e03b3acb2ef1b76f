"""`python -m e2e.image.check`, which is `make image-check`: Dockerfile and lock, a build, its size, a start.

`--where-possible`, for `make test`: a machine that can build no image says so, and that is no failure, but where the
variable CI is set.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.image.build import ROOT, BuiltImage, build_image, require_builder
from e2e.image.context import Context
from e2e.image.dockerfile import parse
from e2e.image.errors import ImageError, PrerequisiteMissing, StepFailed
from e2e.image.reading import image_archive
from e2e.image.rules import broken, copied
from e2e.image.sbom import sbom
from e2e.image.sizes import compressed, too_large
from e2e.image.trial import MANIFEST, Trial, declared, started, wrong
from e2e.plane import PlaneError, Progress
from e2e.plane.cache import cache_root

_LOCK_SECONDS = 120
# What uv ends with when a lock lags behind or is missing; with another it could not read it, or ask the index.
_OUTDATED = 1


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Exit code 0 with what was found on stdout; 1 with a line for each thing that is wrong on stderr."""
    parser = argparse.ArgumentParser(prog="python -m e2e.image.check", description=__doc__)
    parser.add_argument("--where-possible", action="store_true", help="no failure where no image can be built")
    may_skip = parser.parse_args(arguments).where_possible and not environ.get("CI")
    try:
        found = problems(ROOT) or _of_the_image(may_skip=may_skip)
    except (ImageError, PlaneError, OSError) as error:
        found = [str(error)]
    sys.stderr.write("".join(f"error: {one}\n" for one in found))
    return int(bool(found))


def _of_the_image(*, may_skip: bool) -> list[str]:
    """What is wrong with the image itself. Raises ImageError, OSError."""
    try:
        require_builder()
    except PrerequisiteMissing as missing:
        if not may_skip:
            raise
        sys.stdout.write(
            f"image-check: SKIPPED but for Dockerfile and lock, no image was built or started: {missing}\n"
        )
        return []
    progress = Progress()
    image = build_image(progress)
    with progress.step(1, 3, "sizes of its layers") as shown, image_archive(image.archive) as archive:
        size = compressed(archive, cache_root() / "image/compressed.json", shown.tick)
    empty_dirs = declared(MANIFEST.read_text(encoding="utf-8"))
    with progress.step(2, 3, "starting it", 8):
        trial = started(image.archive, empty_dirs)
    sys.stdout.write(summary(image, size, trial))
    with progress.step(3, 3, "listing its parts", 6):
        listed = json.loads(sbom(image.archive, (ROOT / "uv.lock").read_text(encoding="utf-8")))["components"]
    sys.stdout.write(f"{len(listed)} parts, to which all its programs and libraries belong\n")
    return [*too_large(size), *wrong(trial, empty_dirs)]


def summary(image: BuiltImage, size: int, trial: Trial) -> str:
    """What the image is, how large, and what of it was started."""
    names = ", ".join(one.words[0] for one in trial.processes if one.words[0] not in trial.silent)
    return (
        f"{image.name} {image.digest}\n"
        f"{size / 1e6:.0f} MB compressed, {image.size / 1e6:.0f} MB in layers\n"
        f"{len(trial.helps)} commands told their help; health answered by {names or 'none'}\n"
        f"its user may write {', '.join(trial.writable) or 'nowhere'}; "
        f"written: {', '.join(trial.written) or 'nothing'}\n"
    )


def problems(root: Path, uv: str = str(ROOT / "build/uv/bin/uv")) -> list[str]:
    """What is wrong before anything is built. Raises DockerfileError."""
    dockerfile = parse((root / "Dockerfile").read_text(encoding="utf-8"))
    context = Context.of(root)
    return [
        *broken(dockerfile, {source: _is_there(context, source) for source in copied(dockerfile)}),
        *lock_problems(root, uv),
    ]


def _is_there(context: Context, source: str) -> bool:
    try:
        return bool(context.under(source))
    except StepFailed:
        return False


def lock_problems(root: Path, uv: str) -> list[str]:
    """Whether uv.lock is what pyproject.toml asks for, as uv says without changing either."""
    command = [uv, "lock", "--check", "--quiet"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=_LOCK_SECONDS, check=False)
    except FileNotFoundError:
        return [f"{uv} is not there: run `make env`"]
    except subprocess.TimeoutExpired:
        return [f"uv lock --check gave no answer within {_LOCK_SECONDS} s: is the package index there?"]
    if done.returncode == _OUTDATED:
        return [f"uv.lock is not what pyproject.toml asks for: run uv lock ({done.stderr.strip()})"]
    if done.returncode:
        return [
            f"whether uv.lock is what pyproject.toml asks for was not found out: uv lock --check: {done.stderr.strip()}"
        ]
    return []


if __name__ == "__main__":
    sys.exit(main())
