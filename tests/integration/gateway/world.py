"""A gateway beside a running operator: services with pods, keys, and requests to the gateway's port."""

import base64
import hashlib
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from e2e.plane import Plane
from e2e.run.processes import Worker, start_gateway
from tests.integration.gateway.engines import Engines, engines
from tests.integration.operator.running import Object, Running, running, service

KEYS = "aim-gpu-gateway-keys"
NODES = {"gpu": "CPX/NPS4"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got."""

    status: int
    body: dict[str, Any]

    @property
    def engine(self) -> str:
        return str(self.body["engine"])

    @property
    def reason(self) -> str:
        return str(self.body["error"]["code"])


@dataclass
class World:
    """Operator, gateway and engines."""

    cluster: Running
    engines: Engines
    gateway: Worker
    folder: Path

    @property
    def namespace(self) -> str:
        return self.cluster.namespace

    async def serve(self, name: str = "chat", replicas: int = 1, **spec: Any) -> list[str]:
        """A service with so many Ready engines, by the uids of their pods."""
        await self.cluster.create(self.cluster.services_path, service(name, replicas=replicas, **spec))
        return await self.ready(name, replicas)

    async def ready(self, name: str, replicas: int) -> list[str]:
        """Wait until a real EndpointSlice lists so many Ready pods, and engines listen for them."""

        async def listed() -> list[str] | None:
            selector = f"labelSelector=kubernetes.io/service-name={name}"
            path = f"/apis/discovery.k8s.io/v1/namespaces/{self.namespace}/endpointslices?{selector}"
            entries = [one for found in await self.cluster.items(path) for one in found.get("endpoints") or ()]
            uids = [one["targetRef"]["uid"] for one in entries if one["conditions"].get("ready")]
            return uids if len(uids) == replicas else None

        uids: list[str] = await self.cluster.eventually(f"{replicas} Ready entries of {name}", listed)
        await self.engines.serve([*self.engines.asked, *uids])
        return sorted(uids)

    async def key(self, name: str = "ci", *, namespace: str | None = None, **more: str) -> str:
        """A new key in the namespace's Secret, beside what `more` names; returns the key."""
        made = f"sk-{uuid.uuid4().hex}"
        await self.put_keys({name: made, **more}, namespace=namespace)
        return made

    async def put_keys(self, keys: dict[str, str], *, namespace: str | None = None) -> None:
        """The Secret has these keys' digests and no others."""
        namespace = namespace or self.namespace
        digests = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in keys.items()}
        data = {name: base64.b64encode(digest.encode()).decode() for name, digest in digests.items()}
        path = f"/api/v1/namespaces/{namespace}/secrets"
        await self.cluster.delete(f"{path}/{KEYS}")
        await self.cluster.create(path, {"metadata": {"name": KEYS}, "data": data})

    async def ask(
        self, key: str | None, model: str = "chat", *, client: aiohttp.ClientSession | None = None, **body: Any
    ) -> Answer:
        """One request."""
        if client is None:
            async with aiohttp.ClientSession() as own:
                return await self.ask(key, model, client=own, **body)
        asked = {"model": model, "messages": [{"role": "user", "content": "hi"}], **body}
        headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
        url = f"http://127.0.0.1:{self.gateway.ports['gateway']}/v1/chat/completions"
        async with client.post(url, json=asked, headers=headers) as answer:
            return Answer(answer.status, await answer.json())

    async def answered(self, key: str | None, model: str = "chat", *, status: int = 200, limit: float = 30) -> Answer:
        """The first answer with that status."""

        async def check() -> Answer | None:
            found = await self.ask(key, model)
            return found if found.status == status else None

        found: Answer = await self.cluster.eventually(f"an answer {status}", check, limit)
        return found

    async def engines_answering(self, key: str, count: int, model: str = "chat") -> set[str]:
        """Ask until exactly so many engines answer within a round."""

        async def check() -> set[str] | None:
            answers = [await self.ask(key, model) for _ in range(6 * count)]
            found = {answer.engine for answer in answers if answer.status == 200}
            return found if len(found) == count else None

        found: set[str] = await self.cluster.eventually(f"{count} engines answer", check)
        return found


@asynccontextmanager
async def a_world(
    plane: Plane, folder: Path, *, arguments: Sequence[str] = (), also: Sequence[str] = ()
) -> AsyncIterator[World]:
    """Everything started; keys count of the test's namespace and of those of `also`, where the role for them is bound."""
    async with running(plane, folder, NODES) as cluster, engines(folder) as listening:
        namespaces = (cluster.namespace, *also)
        for namespace in namespaces:
            await bind_keys(cluster, namespace)
        options = (*(word for namespace in namespaces for word in ("--key-namespace", namespace)), *arguments)
        async with start_gateway(plane, folder / "gateway", addresses=listening.file, arguments=options) as gateway:
            yield World(cluster, listening, gateway, folder)


async def bind_keys(cluster: Running, namespace: str) -> None:
    """What an administrator does for a namespace whose keys are to count."""
    account = {"kind": "ServiceAccount", "name": "aim-gpu-gateway", "namespace": "aim-gpu-gateway"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "aim-gpu-gateway-keys"}
    binding: Object = {"metadata": {"name": "aim-gpu-gateway-keys"}, "roleRef": role, "subjects": [account]}
    await cluster.create(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings", binding)
