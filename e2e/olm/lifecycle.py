"""OLM's own two controllers on a plane, and a catalogue that `opm` serves them by its address: no image is pulled.

catalogue -> opm serve -> CatalogSource -> catalog (resolves, writes what is installed) -> olm (runs it)
"""

import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from e2e.plane import Plane, PlaneError, ensure_binaries
from e2e.plane.module_manifests import read_manifests
from e2e.plane.ports import LOOPBACK, Reservation
from e2e.plane.processes import Processes
from e2e.plane.programs import OLM, OPM

CATALOGUES: Final = "olm"
"""The namespace whose catalogues count for all others."""
SOURCE: Final = "aim-gpu"
_SERVER: Final = "opm"
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.5
_TAIL_LINES: Final = 25
_GROUP: Final = "/apis/operators.coreos.com"

Object = dict[str, Any]


class NotInstalled(PlaneError):
    """OLM did not come to where it should; the text has what its objects and logs say."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is subscribed to: a package, in a channel, into a namespace."""

    package: str
    channel: str
    namespace: str


class Lifecycle:
    """A running OLM. `serve` gives it a catalogue, `subscribe` something to install."""

    def __init__(self, plane: Plane, processes: Processes, folder: Path, port: int) -> None:
        self._plane = plane
        self._processes = processes
        self._folder = folder
        self._address = f"{LOOPBACK}:{port}"
        self._binaries = ensure_binaries(families=(OLM, OPM))
        self._serving = 0

    def begin(self) -> None:
        """Its kinds, its namespace, and both controllers."""
        kinds = read_manifests(self._binaries["olm-manifests.json"])
        self._plane.admin.apply(each for objects in kinds.values() for each in objects)
        self._plane.wait_until(self._kinds_are_known, "OLM's kinds are served")
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": CATALOGUES}}
        settings = {"apiVersion": "operators.coreos.com/v1", "kind": "OLMConfig", "metadata": {"name": "cluster"}}
        # a copy of each version in every namespace would only make noise here
        self._plane.admin.apply([namespace, settings | {"spec": {"features": {"disableCopiedCSVs": True}}}])
        for name in ("catalog", "olm"):
            options = ["--namespace", CATALOGUES, "--writeStatusName", ""]
            self._start(name, [str(self._binaries[name]), *options, "--interval", "10s"])

    def serve(self, documents: Sequence[Object]) -> None:
        """Serve this catalogue and no other; CatalogSource follows."""
        self._serving += 1
        folder = self._folder / f"catalogue-{self._serving}"
        folder.mkdir()
        (folder / "catalog.yaml").write_text(yaml.safe_dump_all(documents), encoding="utf-8")
        if self._serving > 1:
            self._processes.end(_SERVER, signal.SIGTERM, _STOP_SECONDS)
        port = self._address.rpartition(":")[2]
        cache = ["--cache-dir", str(self._folder / f"cache-{self._serving}"), "--cache-enforce-integrity=false"]
        options = ["--port", port, "--pprof-addr", "", *cache]
        self._start(_SERVER, [str(self._binaries["opm"]), "serve", str(folder), *options])
        source = {
            "apiVersion": "operators.coreos.com/v1alpha1",
            "kind": "CatalogSource",
            "metadata": {"name": SOURCE, "namespace": CATALOGUES},
            "spec": {"sourceType": "grpc", "address": self._address, "displayName": "AIM GPU sharing"},
        }
        self._plane.admin.apply([source])

    def subscribe(self, wanted: Wanted) -> None:
        """Into a namespace that is there; for all namespaces."""
        group = {
            "apiVersion": "operators.coreos.com/v1",
            "kind": "OperatorGroup",
            "metadata": {"name": wanted.package, "namespace": wanted.namespace},
            "spec": {},
        }
        subscription = {
            "apiVersion": "operators.coreos.com/v1alpha1",
            "kind": "Subscription",
            "metadata": {"name": wanted.package, "namespace": wanted.namespace},
            "spec": {
                "name": wanted.package,
                "channel": wanted.channel,
                "source": SOURCE,
                "sourceNamespace": CATALOGUES,
                "installPlanApproval": "Automatic",
            },
        }
        self._plane.admin.apply([group, subscription])

    def wait_installed(self, wanted: Wanted, version: str, limit_seconds: float) -> Object:
        """The ClusterServiceVersion of that name once it has succeeded. Raises NotInstalled."""
        path = f"{_GROUP}/v1alpha1/namespaces/{wanted.namespace}/clusterserviceversions"

        def succeeded() -> bool:
            found = self._plane.admin.find(f"{path}/{version}")
            return found is not None and found.get("status", {}).get("phase") == "Succeeded"

        self._wait(succeeded, f"{version} has succeeded", wanted, limit_seconds)
        return self._plane.admin.get(f"{path}/{version}")

    def versions(self, wanted: Wanted) -> dict[str, str]:
        """Phase of every ClusterServiceVersion in the namespace, by name."""
        path = f"{_GROUP}/v1alpha1/namespaces/{wanted.namespace}/clusterserviceversions"
        items = self._plane.admin.get(path)["items"]
        return {each["metadata"]["name"]: each.get("status", {}).get("phase", "") for each in items}

    def wait_gone(self, wanted: Wanted, version: str, limit_seconds: float) -> None:
        """Until the ClusterServiceVersion of that name is no more. Raises NotInstalled."""
        self._wait(lambda: version not in self.versions(wanted), f"{version} is gone", wanted, limit_seconds)

    def _kinds_are_known(self) -> bool:
        kinds = {plural for group, _, plural in self._plane.admin.discovered() if group == "operators.coreos.com"}
        return {"subscriptions", "clusterserviceversions", "catalogsources", "operatorgroups", "olmconfigs"} <= kinds

    def _start(self, name: str, command: list[str]) -> None:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "KUBECONFIG": str(self._plane.kubeconfig),
            "OPERATOR_NAMESPACE": CATALOGUES,
        }
        self._processes.start(name, command, environ, self._log(name))

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _wait(self, condition: Callable[[], bool], what: str, wanted: Wanted, limit_seconds: float) -> None:
        deadline = time.monotonic() + limit_seconds
        while not condition():
            self._plane.check()
            ended = [name for name, child in self._processes.children().items() if child.code is not None]
            if ended or time.monotonic() > deadline:
                why = f"{', '.join(ended)} ended" if ended else f"not within {limit_seconds:.0f} s"
                raise NotInstalled(f"{what}: {why}\n{self._told(wanted)}")
            time.sleep(_POLL_SECONDS)

    def _told(self, wanted: Wanted) -> str:
        """What a person would look at."""
        within = f"{_GROUP}/v1alpha1/namespaces/{wanted.namespace}"
        paths = [f"{within}/{kind}" for kind in ("subscriptions", "installplans", "clusterserviceversions")]
        said = []
        for path in (*paths, f"{_GROUP}/v1alpha1/namespaces/{CATALOGUES}/catalogsources"):
            for each in self._plane.admin.get(path)["items"]:
                status = {key: value for key, value in each.get("status", {}).items() if key != "plan"}
                said.append(f"{path.rpartition('/')[2]} {each['metadata']['name']}: {json.dumps(status)[:3000]}")
        for name in (_SERVER, "catalog", "olm"):
            lines = self._log(name).read_text(encoding="utf-8", errors="replace").splitlines()
            said += [f"{name}: {line[:400]}" for line in lines[-_TAIL_LINES:]]
        return "\n".join(said)


@contextmanager
def lifecycle(plane: Plane) -> Iterator[Lifecycle]:
    """OLM on the plane until the block ends. Raises PlaneError's tree."""
    with tempfile.TemporaryDirectory(prefix="aim-olm-") as made:
        folder = Path(made)
        processes = Processes(folder / "supervisor.log")
        try:
            with Reservation(1) as reservation:
                running = Lifecycle(plane, processes, folder, reservation.ports[0])
                running.begin()
                yield running
        finally:
            processes.stop()
