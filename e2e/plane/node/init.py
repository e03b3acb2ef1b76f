"""Process 1 of a node's namespaces: makes the node's own file system view, then reaps what is orphaned.

Runs as a script of its own (standard library only), told all in one JSON argument:

    {"hostname": "real-1", "binds": {"/.../real-1/run": "/run"}, "masks": {"/.../vm.panic_on_oom": "/proc/sys/..."},
     "settings": {"net/ipv4/ip_forward": "1"}, "ready": "/.../real-1/ready"}

The settings are those of the network namespace. The mounts are seen by nobody outside, and are gone with the last
process of the namespaces. When this process ends, the kernel kills all others in its process namespace.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path


def mount(*arguments: str) -> None:
    """Run mount(8) without its bookkeeping, which would stay behind in /run/mount."""
    subprocess.run(["mount", "--no-mtab", *arguments], check=True)


def main() -> None:
    """Set up, say so by creating the file `ready`, and stay."""
    told = json.loads(sys.argv[1])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    mount("--make-rshared", "/")
    for source, target in (told["binds"] | told["masks"]).items():
        mount("--bind", source, target)
    for name, value in told["settings"].items():
        Path("/proc/sys", name).write_text(value, encoding="ascii")
    socket.sethostname(told["hostname"])
    Path(told["ready"]).touch()
    while True:
        signal.sigwait({signal.SIGCHLD})
        reap()


def reap() -> None:
    """Take note of every child that has ended: shims become ours when containerd ends."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


if __name__ == "__main__":
    main()
