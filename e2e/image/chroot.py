"""Runs commands with another root, in namespaces of their own: what is mounted for them goes with them.

Their processes end with this one, however it ends. The network is the host's, for package registries.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from e2e.image.errors import StepFailed
from e2e.plane.supervisor import end_with_parent

NAMESPACES = ("unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--propagation", "private")

# Proxies, indexes and authorities: how this machine reaches package registries. As with a Docker engine's proxies
# they reach the steps and never the image.
_REACHING = (
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL"),
)
_AUTHORITIES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_AUTHORITIES_INSIDE = "/run/authorities.pem"

_POLL_SECONDS = 0.1
_TAIL_CHARACTERS = 3000
_DEVICES = "null zero full random urandom tty"
_ENTER = f"""
root=$1; folder=$2; who=$3; authorities=$4; shift 4
mount -n -t proc proc "$root/proc"
mount -n -t tmpfs -o mode=755 dev "$root/dev"
mount -n -t tmpfs -o mode=755 run "$root/run"
for device in {_DEVICES}; do
  : > "$root/dev/$device"
  mount -n --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
if [ -n "$authorities" ]; then cat "$authorities" > "$root{_AUTHORITIES_INSIDE}"; fi
for name in resolv.conf hosts; do
  if [ -e "/etc/$name" ]; then rm -f "$root/etc/$name"; cat "/etc/$name" > "$root/etc/$name"; fi
done
exec chroot --userspec="$who" "$root" /bin/sh -euc 'cd "$0"; exec "$@"' "$folder" "$@"
"""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: words, their environment, where and as whom ("uid:gid")."""

    words: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"


def run_in_root(root: Path, command: Command, tick: Callable[[str], None] = lambda _: None) -> str:
    """Run a command with `root` as its root; gives what it printed. Raises StepFailed when it fails."""
    authorities = next((os.environ[name] for name in _AUTHORITIES if os.environ.get(name)), "")
    reaching = {name: os.environ[name] for name in _REACHING if name in os.environ}
    trusting = dict.fromkeys(_AUTHORITIES, _AUTHORITIES_INSIDE) if authorities else {}
    script = [*NAMESPACES, "sh", "-euc", _ENTER, "enter", str(root), command.folder, command.user, authorities]
    return run([*script, *command.words], {**reaching, **trusting, **command.environ}, tick)


def run(words: Sequence[str], environ: Mapping[str, str], tick: Callable[[str], None] = lambda _: None) -> str:
    """Run a program of this machine, ended with us; gives what it printed. Raises StepFailed when it fails.

    `tick` is called several times a second with the last line printed.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            words,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent(),  # noqa: PLW1509 - one system call; kill -9 runs no handler of ours
        )
        try:
            while process.poll() is None:
                time.sleep(_POLL_SECONDS)
                tick(_printed(log.fileno()).rpartition("\n")[2])
        finally:
            process.kill()
            process.wait()
        printed = _printed(log.fileno())
    if process.returncode != 0:
        shown = " ".join(words[-1:])
        raise StepFailed(f"{shown}\nended with {process.returncode}; the last it printed:\n{printed}")
    return printed


def _printed(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL_CHARACTERS)
    return os.pread(descriptor, size - start, start).decode(errors="replace").strip()
