"""People with few rights, and what they run on a cluster."""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.integration.operator.running import Object, Running

RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass
class People:
    """Makes people of a cluster by name, and takes their rights away when it ends."""

    cluster: Running
    folder: Path

    def __post_init__(self) -> None:
        self._bindings: list[str] = []

    async def make(self, name: str, *, view: str = "", everywhere: Sequence[Object] = ()) -> Path:
        """A kubeconfig for somebody who has role aim-gpu-view in namespace `view`, and these rules everywhere."""
        if view:
            roles = f"{RBAC}/namespaces/{view}/rolebindings"
            await self.cluster.create(roles, _binding(name, name, "aim-gpu-view"))
        if everywhere:
            own = f"{name}-{self.cluster.namespace}"
            self._bindings.append(own)
            await self.cluster.create(f"{RBAC}/clusterroles", {"metadata": {"name": own}, "rules": list(everywhere)})
            await self.cluster.create(f"{RBAC}/clusterrolebindings", _binding(own, name, own))
        content: Any = yaml.safe_load(self.cluster.plane.kubeconfig.read_text())
        for entry in content["users"]:
            entry["user"] |= {"as": name}
        path = self.folder / f"kubeconfig-of-{name}"
        path.write_text(yaml.safe_dump(content))
        return path

    def end(self) -> None:
        """Nobody has any right left that this one gave."""
        for name in self._bindings:
            for kind in ("clusterrolebindings", "clusterroles"):
                self.cluster.plane.admin.delete(f"{RBAC}/{kind}/{name}")


def may(verbs: Sequence[str], group: str, *resources: str) -> Object:
    """A rule of a role."""
    return {"verbs": list(verbs), "apiGroups": [group], "resources": list(resources)}


def _binding(name: str, user: str, role: str) -> Object:
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }


async def interrupted(process: asyncio.subprocess.Process, said: str, limit: float = 60.0) -> str:
    """What a process said on stderr until it said so, got Ctrl-C, and ended."""
    assert process.stderr is not None
    told = ""
    async with asyncio.timeout(limit):
        while said not in told:
            line = (await process.stderr.readline()).decode()
            assert line, f"it ended before it said {said!r}: {told}"
            told += line
        process.send_signal(signal.SIGINT)
        told += (await process.stderr.read()).decode()
        await process.wait()
    return told
