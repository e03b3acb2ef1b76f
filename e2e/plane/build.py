"""Gets every program of a plane: from `KUBEBUILDER_ASSETS`, from the cache, or by building it into the cache."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e.plane.assets import provided
from e2e.plane.cache import build_lock, cache_root, program_path
from e2e.plane.errors import BuildError
from e2e.plane.go_toolchain import find_go, go_environment
from e2e.plane.module_manifests import write_manifests
from e2e.plane.programs import FAMILIES, Family, Manifests, Program
from e2e.plane.progress import Progress, Step, duration
from e2e.plane.supervisor import end_with_parent

_POLL_SECONDS = 0.1
_TAIL_CHARACTERS = 3000

Binaries = Mapping[str, Path]
"""Program name -> executable file; and the name of a family's manifests -> their file."""


@dataclass(frozen=True, slots=True)
class Target:
    """One program that must be built, or manifests that must be copied, and the file they become."""

    family: Family
    product: Program | Manifests
    path: Path


def ensure_binaries(
    progress: Progress | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    families: Sequence[Family] = FAMILIES,
) -> Binaries:
    """All programs of the families, building those that are missing; a few milliseconds when none is.

    KServe's is no part of the default: its build takes minutes, and few planes need it. Raises BuildError,
    ToolchainError or LockTimeout.
    """
    progress = progress or Progress()
    root = cache_root(environ)
    found: dict[str, Path] = {}
    missing: list[Target] = []
    for family in families:
        for product in family.products:
            given, why_not = provided(family, product, environ) if isinstance(product, Program) else (None, "")
            path = given or program_path(root, family, product)
            found[product.name] = path
            if not path.exists():
                missing.append(Target(family, product, path))
                if why_not:
                    progress.line(f"{why_not}: building it")
    if missing:
        _build_all(missing, root, progress, environ)
    return found


def _build_all(missing: list[Target], root: Path, progress: Progress, environ: Mapping[str, str]) -> None:
    expected = sum(target.product.typical_seconds for target in missing)
    programs = sum(isinstance(target.product, Program) for target in missing)
    progress.line(
        f"building {programs} programs of the local control plane, once: "
        f"usually {duration(expected)} on two cores; they are kept in {root}"
    )
    go = find_go(root, progress, environ)
    for index, target in enumerate(missing, start=1):
        title = f"building {target.product.name} {target.family.version}"
        with progress.step(index, len(missing), title, target.product.typical_seconds) as step:
            build(target, go, step, environ)


def build(target: Target, go: Path, step: Step, environ: Mapping[str, str] = os.environ) -> None:
    """Make one product unless another process does so first; the file appears whole or not at all."""
    folder = target.path.parent
    with build_lock(folder.with_name(f"{folder.name}.lock"), waiting=step.tick):
        if target.path.exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(f".{target.product.name}.*"):
            leftover.unlink(missing_ok=True)
        unfinished = folder / f".{target.product.name}.{os.getpid()}"
        try:
            match target.product:
                case Program() as program:
                    _compile(target.family, program, go, unfinished, step, environ)
                case Manifests() as manifests:
                    write_manifests(target.family, manifests, go, unfinished, go_environment(environ))
            _flush(unfinished)
            unfinished.rename(target.path)
        finally:
            unfinished.unlink(missing_ok=True)


def _compile(family: Family, program: Program, go: Path, output: Path, step: Step, environ: Mapping[str, str]) -> None:
    """Run the compiler in a process group of its own, so that Ctrl-C ends all of it and only once."""
    arguments = [str(go), "build", "-mod=readonly", "-trimpath", "-buildvcs=false"]
    arguments += ["-tags", ",".join(family.tags)] if family.tags else []
    arguments += ["-ldflags", family.ldflags, "-o", str(output), program.package]
    # Go leaves its work folder behind when it is killed; ours goes with this block.
    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory(prefix="aim-go-build-") as scratch:
        process = subprocess.Popen(
            arguments,
            cwd=family.module,
            env={**go_environment(environ), "GOTMPDIR": scratch},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=end_with_parent(),  # noqa: PLW1509 - one system call; kill -9 runs no handler of ours
        )
        try:
            while process.poll() is None:
                time.sleep(_POLL_SECONDS)
                step.tick(_last_line(log.fileno()))
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        if process.returncode != 0 or not output.exists():
            raise BuildError(
                f"{program.name} {family.version} did not build (go ended with "
                f"{process.returncode}); its last lines:\n{_tail(log.fileno())}"
            )


def _tail(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL_CHARACTERS)
    return os.pread(descriptor, size - start, start).decode(errors="replace").strip()


def _last_line(descriptor: int) -> str:
    return _tail(descriptor).rpartition("\n")[2]


def _flush(path: Path) -> None:
    """A name must not outlive a power cut that its contents did not."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
