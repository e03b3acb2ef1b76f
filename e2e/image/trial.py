"""Starts an image as its pods would: unpacked, as its user, on a root that cannot be written, without a network.

archive -> [namespaces: tmpfs, proc, devices, an emptyDir at each declared path; root read-only] -> help of every
command, every process until its health answers, then SIGTERM -> what ended how, and what could be written
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from e2e.image.build import ROOT
from e2e.image.chroot import NAMESPACES
from e2e.image.errors import ImageError
from e2e.plane.supervisor import end_with_parent

MANIFEST = ROOT / "charts/install/install.yaml"
_LIMIT_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Ended:
    """A command of the image and how it ended. `told`: the last of its output."""

    words: tuple[str, ...]
    code: int | None
    """None: it did not end in time."""
    told: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of an image's start.

    `helps`: commands that were to end with 0. `processes`: those whose health was to answer, and to end with 0 when
    they are asked to; `silent`: which of them never answered. `writable`: where the image's user may write, `written`:
    files that were there in the end. `loose`: paths that it might write if only the root were not read-only.
    `raising`: programs that run with another's rights (setuid, setgid).
    """

    helps: tuple[Ended, ...]
    processes: tuple[Ended, ...]
    silent: tuple[str, ...]
    writable: tuple[str, ...]
    written: tuple[str, ...]
    loose: tuple[str, ...]
    raising: tuple[str, ...]


def started(archive: Path, empty_dirs: Sequence[str]) -> Trial:
    """Start the image in an archive, with folders to write to at `empty_dirs`. Needs root. Raises ImageError."""
    with tempfile.TemporaryDirectory(prefix="aim-image-") as work:
        return _started([str(archive), work, *empty_dirs], work)


def _started(arguments: Sequence[str], work: str) -> Trial:
    mounted = 'mount -n -t tmpfs -o mode=755,size=4g work "$0"; exec "$@"'
    inside = [sys.executable, "-m", "e2e.image.trial_inside", *arguments]
    process = subprocess.Popen(
        [*NAMESPACES, "--net", "--mount-proc", "sh", "-euc", mounted, work, *inside],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=end_with_parent(),  # noqa: PLW1509 - one system call; kill -9 runs no handler of ours
    )
    try:
        told, problem = process.communicate(timeout=_LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        raise ImageError(f"the start of {arguments[0]} took longer than {_LIMIT_SECONDS} s") from None
    finally:
        process.kill()
        process.wait()
    return _read(told, problem)


def _read(told: str, problem: str) -> Trial:
    try:
        found = json.loads(told)
    except ValueError:
        raise ImageError(f"the image was not started: {problem.strip()[-2000:] or told.strip() or 'no word'}") from None
    return Trial(
        helps=_ended(found["helps"]),
        processes=_ended(found["processes"]),
        **{key: tuple(found[key]) for key in ("silent", "writable", "written", "loose", "raising")},
    )


def _ended(found: Sequence[Mapping[str, Any]]) -> tuple[Ended, ...]:
    return tuple(Ended(tuple(one["words"]), one["code"], one["told"]) for one in found)


def wrong(trial: Trial, empty_dirs: Sequence[str]) -> list[str]:
    """A sentence for each thing that is not as it should be: the command and its output. Pure."""
    return [
        *(f"{_shown(one)}, 0 was expected; it said:\n{one.told}" for one in trial.helps if one.code != 0),
        *(
            f"{_shown(one)}; {_expected(one, trial)}; it said:\n{one.told}"
            for one in trial.processes
            if _bad(one, trial)
        ),
        *(f"the image's user may write {path}, which no emptyDir is" for path in _beyond(trial.writable, empty_dirs)),
        *(f"{path} is the image's user's to change, or anybody's, by its mode" for path in trial.loose),
        *(f"{path} runs with another's rights (setuid or setgid): take the bit away" for path in trial.raising),
    ]


def declared(manifest: str) -> list[str]:
    """Where pods of a manifest have an emptyDir, sorted."""
    found = set()
    for document in yaml.safe_load_all(manifest):
        template = ((document or {}).get("spec") or {}).get("template") or {}
        spec = template.get("spec") or {} if isinstance(template, dict) else {}
        empty = {volume["name"] for volume in spec.get("volumes") or () if "emptyDir" in volume}
        for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
            found |= {mount["mountPath"] for mount in container.get("volumeMounts") or () if mount["name"] in empty}
    return sorted(found)


def _bad(one: Ended, trial: Trial) -> bool:
    return one.code != 0 or one.words[0] in trial.silent


def _expected(one: Ended, trial: Trial) -> str:
    if one.words[0] in trial.silent:
        return "its /healthz never answered"
    return "its /healthz answered; it was to end with 0 after SIGTERM"


def _shown(one: Ended) -> str:
    return f"aim-gpu {' '.join(one.words)} {'did not end' if one.code is None else f'ended with {one.code}'}"


def _beyond(paths: Sequence[str], empty_dirs: Sequence[str]) -> list[str]:
    return [path for path in paths if not any(Path(path).is_relative_to(folder) for folder in empty_dirs)]
