"""`python -m e2e.plane`: a plane left running for a person, until Ctrl-C; `... build`: only build the programs.

With `--kserve`, KServe's controllers run on it too. `build` makes theirs as well, unless the environment says KSERVE=0.
`--real-nodes` adds nodes with a real kubelet and containers, for root on Linux, and leaves simulated ones out unless
`--nodes` asks for some; `build --real-nodes=1` builds what they need.
"""

import argparse
import http.client
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from e2e.plane import Plane, PlaneError, Progress, add_nodes, ensure_binaries, wanted_families
from e2e.plane.node import BUSYBOX_IMAGE
from e2e.plane.node.packages import ensure_packages
from e2e.plane.node.preflight import check as check_for_nodes
from e2e.plane.programs import FAMILIES, HELM, KSERVE, NODE_FAMILIES

KUBECONFIG = Path("build/plane/kubeconfig")
_SIMULATED = 3
_LOOK_SECONDS = 1.0
_CONNECT_SECONDS = 2.0
_INTERRUPTED = 130  # as a shell reports SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 after a build or when a working plane is stopped, 1 for a failure, 130 for Ctrl-C before that."""
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if options.command == "build":
            build(real_nodes=bool(options.real_nodes))
        else:
            run(options.kubeconfig, simulated(options), kserve=options.kserve, real_nodes=options.real_nodes)
    except PlaneError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return _INTERRUPTED
    return 0


def simulated(options: argparse.Namespace) -> int:
    """How many simulated nodes there are: beside real ones none unless asked for, or pods would land on them."""
    if options.nodes is not None:
        return int(options.nodes)
    return 0 if options.real_nodes else _SIMULATED


def build(*, real_nodes: bool = False) -> None:
    """Build every program of a plane, and Helm, and print where each is. Raises PlaneError."""
    families = (*wanted_families(), HELM, *(NODE_FAMILIES if real_nodes else ()))
    paths = [*ensure_binaries(Progress(), families=families).values()]
    if real_nodes:
        paths.append(ensure_packages(Progress()))
    sys.stdout.write("".join(f"{path}\n" for path in paths))


def run(kubeconfig: Path, nodes: int, *, kserve: bool = False, real_nodes: int = 0) -> None:
    """Keep a plane, its admin kubeconfig at the given path, until Ctrl-C. Raises PlaneError."""
    kubeconfig = kubeconfig.resolve()
    if in_use(kubeconfig):
        raise PlaneError(f"{kubeconfig} belongs to a plane that is running: use that, stop it, or pass --kubeconfig")
    if real_nodes:
        check_for_nodes()
        ensure_packages(Progress())
    families = (*FAMILIES, *((KSERVE,) if kserve else ()), *(NODE_FAMILIES if real_nodes else ()))
    binaries = ensure_binaries(Progress(), families=families)
    with Plane(binaries=binaries, kserve=kserve, real_nodes=real_nodes) as plane:
        kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        kubeconfig.unlink(missing_ok=True)
        kubeconfig.touch(mode=0o600)
        shutil.copyfile(plane.kubeconfig, kubeconfig)
        try:
            add_nodes(plane, [f"node-{index}" for index in range(nodes)])
            sys.stdout.write(welcome(plane, kubeconfig, nodes))
            sys.stdout.flush()
            while True:
                time.sleep(_LOOK_SECONDS)
                plane.check()
        except KeyboardInterrupt:
            sys.stderr.write("\nstopping\n")
        finally:
            kubeconfig.unlink(missing_ok=True)


def welcome(plane: Plane, kubeconfig: Path, nodes: int) -> str:
    """What a person is told once the plane is up."""
    memory = sum(plane.statistics.resident_bytes.values()) / (1 << 20)
    real = "".join(f"{node.name} is real ({node.address}, {BUSYBOX_IMAGE} is there).\n" for node in plane.nodes)
    told = f"{nodes} of its nodes are simulated by KWOK: pods are scheduled for real, but no container runs.\n"
    kwok = told if nodes else ""
    return (
        f"The control plane is ready after {plane.statistics.ready_seconds:.1f} s ({memory:.0f} MiB).\n"
        f"{kwok}{real}"
        f"Logs and audit log: {plane.folder}\n\n"
        f"  export KUBECONFIG={kubeconfig}\n\n"
        "Ctrl-C stops it and removes it.\n"
    )


def in_use(kubeconfig: Path) -> bool:
    """Whether a plane answers at the address that the file names."""
    if not kubeconfig.exists():
        return False
    server: str = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))["clusters"][0]["cluster"]["server"]
    connection = http.client.HTTPConnection(server.removeprefix("https://"), timeout=_CONNECT_SECONDS)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m e2e.plane", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("run", "build"), default="run")
    parser.add_argument("--kserve", action="store_true", help="with KServe's controllers, kinds and webhooks")
    parser.add_argument("--real-nodes", type=int, default=0, help="nodes that run containers, 1 to 3 (default: none)")
    parser.add_argument(
        "--nodes", type=int, help=f"simulated nodes to begin with (default: {_SIMULATED}, and none beside real ones)"
    )
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        default=KUBECONFIG,
        help=f"where the admin kubeconfig goes (default: {KUBECONFIG})",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
