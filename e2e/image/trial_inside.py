"""The part of a trial that runs in the namespaces: a program of its own, whose last word is JSON on stdout."""

import fcntl
import http.client
import json
import shutil
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from e2e.image.errors import ImageError
from e2e.image.processes import KUBECONFIG, KUBECONFIG_PATH, Process, helps, process_verbs, processes
from e2e.image.reading import image_archive
from e2e.image.trial import Ended, Trial

_HELP_SECONDS = 120.0
_HEALTH_SECONDS = 120.0
_END_SECONDS = 40.0
_POLL_SECONDS = 0.1
_AT_ONCE = 2
_TAIL_CHARACTERS = 3000
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
# Where programs of anybody may put files; nothing of ours reads there, and a read-only root has none to write.
_TEMPORARY = ("tmp", "var/tmp", "run/lock", "dev")
_SET_UP, _IS_UP = 0x8914, 0x1


@dataclass(frozen=True, slots=True)
class Container:
    """A root, and whom and with which words and environment its commands run."""

    root: Path
    entrypoint: tuple[str, ...]
    environ: Mapping[str, str]
    user: str

    def words(self, *words: str) -> list[str]:
        """A command line of this machine that runs one in the container; no program of it gains rights."""
        enter = [_program("setpriv"), "--no-new-privs", _program("chroot"), f"--userspec={self.user}", "--groups="]
        return [*enter, str(self.root), *words]


def main() -> None:
    """Write a Trial as JSON."""
    archive, work, *empty_dirs = sys.argv[1:]
    root = Path(work, "root")
    root.mkdir()
    _bring_loopback_up()
    with image_archive(Path(archive)) as image:
        _run("mount", "-n", "-t", "tmpfs", "-o", "mode=755,size=3g", "root", str(root))
        image.unpack(root)
        config = image.configuration["config"]
    environ = dict(pair.split("=", 1) for pair in config.get("Env", ()))
    container = Container(root, tuple(config["Entrypoint"]), environ, config["User"])
    loose, raising = _loose(root, container.user), _raising(root)
    _mount(root, empty_dirs, container.user)
    Path(root, KUBECONFIG_PATH.lstrip("/")).write_text(KUBECONFIG, encoding="utf-8")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        helped = tuple(pool.map(lambda words: _help(container, words), helps()))
    ran, silent = _start_all(container, processes(process_verbs()), Path(work))
    trial = Trial(helped, ran, silent, _writable(container), _written(root, empty_dirs), loose, raising)
    sys.stdout.write(json.dumps(asdict(trial)))


def _mount(root: Path, empty_dirs: Sequence[str], user: str) -> None:
    """What a runtime puts into a container's root; then nothing else of it can be written."""
    uid, _, gid = user.partition(":")
    _run("mount", "-n", "-t", "proc", "proc", f"{root}/proc")
    _run("mount", "-n", "-t", "tmpfs", "-o", "mode=755", "dev", f"{root}/dev")
    for device in _DEVICES:
        Path(root, "dev", device).touch()
        _run("mount", "-n", "--bind", f"/dev/{device}", f"{root}/dev/{device}")
    for folder in empty_dirs:
        place = f"{root}{folder}"
        Path(place).mkdir(parents=True, exist_ok=True)
        _run("mount", "-n", "-t", "tmpfs", "-o", f"mode=777,uid={uid},gid={gid or uid},size=16m", "empty", place)
    _run("mount", "-n", "-o", "remount,ro", str(root))


def _help(container: Container, words: tuple[str, ...]) -> Ended:
    command = container.words(*container.entrypoint, *words)
    try:
        done = subprocess.run(
            command,
            env=dict(container.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_HELP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return Ended(words, None, _tail(late.stdout or b""))
    code = done.returncode
    if code == 0 and b"Usage:" not in done.stdout and b"usage:" not in done.stdout:
        code = -1  # ended well and told nothing
    return Ended(words, code, _tail(done.stdout))


def _start_all(
    container: Container, wanted: Sequence[Process], work: Path
) -> tuple[tuple[Ended, ...], tuple[str, ...]]:
    """Start all, wait for their health, and end them: how each ended, and which never answered."""
    running = []
    try:
        for process in wanted:
            log = work / f"{process.words[0]}.log"
            with log.open("wb") as output:
                command = container.words(*container.entrypoint, *process.words)
                started = subprocess.Popen(
                    command, env=dict(container.environ), stdin=subprocess.DEVNULL, stdout=output, stderr=output
                )
            running.append((process, started, log))
        limit = time.monotonic() + _HEALTH_SECONDS
        silent = tuple(one.words[0] for one, started, _ in running if not _answers(one.health_port, started, limit))
        for _, started, _ in running:
            started.terminate()
        limit = time.monotonic() + _END_SECONDS
        ended = [Ended(one.words, _code(started, limit), _tail(log.read_bytes())) for one, started, log in running]
    finally:
        for _, started, _ in running:
            started.kill()
            started.wait()
    return tuple(ended), silent


def _answers(port: int, process: "subprocess.Popen[bytes]", limit: float) -> bool:
    """Whether /healthz says 200 before the limit, and before the process ends."""
    while process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return True
        except OSError:
            pass  # it does not listen yet
        finally:
            connection.close()
        if time.monotonic() > limit:
            break
        time.sleep(_POLL_SECONDS)
    return False


def _code(process: "subprocess.Popen[bytes]", limit: float) -> int | None:
    with suppress(subprocess.TimeoutExpired):
        return process.wait(max(0.0, limit - time.monotonic()))
    return None


def _writable(container: Container) -> tuple[str, ...]:
    """Every path that the image's user may write to, but in /proc and /dev, which are the runtime's."""
    find = [
        "find",
        "/",
        "(",
        "-path",
        "/proc",
        "-o",
        "-path",
        "/dev",
        ")",
        "-prune",
        "-o",
        "-writable",
        "!",
        "-type",
        "l",
    ]
    command = container.words(*find, "-print")
    done = subprocess.run(command, env=dict(container.environ), capture_output=True, text=True, check=False)
    unread = [line for line in done.stderr.splitlines() if "Permission denied" not in line]
    if unread:
        raise ImageError(f"what the image's user may write was not found out: {unread[0]}")
    return tuple(sorted(done.stdout.splitlines()))


def _written(root: Path, empty_dirs: Sequence[str]) -> tuple[str, ...]:
    found = (path for folder in empty_dirs for path in Path(f"{root}{folder}").rglob("*"))
    return tuple(sorted(name for path in found if (name := f"/{path.relative_to(root)}") != KUBECONFIG_PATH))


def _loose(root: Path, user: str) -> tuple[str, ...]:
    """Paths of the image itself, but for temporary folders, whose mode lets its user, or everybody, write."""
    uid, _, gid = user.partition(":")
    found = []
    for path in root.rglob("*"):
        status = path.lstat()
        inner = path.relative_to(root)
        if stat.S_ISLNK(status.st_mode) or any(inner.is_relative_to(folder) for folder in _TEMPORARY):
            continue
        own = status.st_uid == int(uid) and status.st_mode & stat.S_IWUSR
        group = status.st_gid == int(gid or uid) and status.st_mode & stat.S_IWGRP
        if own or group or status.st_mode & stat.S_IWOTH:
            found.append(f"/{inner}")
    return tuple(sorted(found))


def _raising(root: Path) -> tuple[str, ...]:
    """Programs of the image that run as, or in the group of, whom they belong to."""
    modes = ((path, path.lstat().st_mode) for path in root.rglob("*"))
    found = (path for path, mode in modes if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID))
    return tuple(sorted(f"/{path.relative_to(root)}" for path in found))


def _bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_UP, struct.pack("16sh14x", b"lo", _IS_UP))


def _program(name: str) -> str:
    found = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise ImageError(f"{name} is not there: the image is started with it")
    return found


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(f"{' '.join(words)}: {done.stderr.strip()}")


def _tail(output: bytes) -> str:
    return output.decode(errors="replace").strip()[-_TAIL_CHARACTERS:]


if __name__ == "__main__":
    main()
