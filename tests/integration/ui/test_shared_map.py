"""`aim-gpu ui-server` with the account and rights of the chart: users of two namespaces, each with what they may list."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from controller.runtime.certs.authority import issue_leaf, make_authority
from controller.telemetry.instruments import UI
from controller.ui.review_gate import AUDIENCE
from e2e.plane import Plane, service_account_token
from e2e.prometheus.reader import reader_token
from e2e.run.live_map import start_live_map
from e2e.run.processes import Worker
from tests.controller.ui.test_server import events
from tests.exported_metrics import difference
from tests.integration.operator.running import SMALL, Object, Running, opt_in, pod, running

pytestmark = [pytest.mark.plane, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

RBAC = "/apis/rbac.authorization.k8s.io/v1"
GONE_SECONDS = 10.0
"""Within which the documentation says that rows are gone."""


def role_binding(name: str, role: str, namespace: str, account: str) -> Object:
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }


@dataclass(frozen=True)
class Shared:
    """A map that is served, and tokens of two people by name."""

    cluster: Running
    others: str
    http: aiohttp.ClientSession
    tokens: Mapping[str, str]
    served: Worker

    def as_(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[who]}"}

    async def state(self, who: str) -> Any:
        async with self.http.get("api/state", headers=self.as_(who)) as answer:
            assert answer.status == 200, await answer.text()
            return orjson.loads(await answer.read())["state"]


async def add_person(cluster: Running, namespace: str, name: str) -> str:
    """A ServiceAccount with role aim-gpu-view in its namespace; its token for the map."""
    await cluster.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
    binding = role_binding(name, "aim-gpu-view", namespace, name)
    await cluster.create(f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
    return await asyncio.to_thread(service_account_token, cluster.plane, namespace, name, audience=AUDIENCE)


@asynccontextmanager
async def shared(plane: Plane, folder: Path) -> AsyncIterator[Shared]:
    """Anna sees one namespace and nodes, Ben another and no nodes."""
    async with running(plane, folder, {"a": "CPX/NPS4"}, gpus=2) as cluster:
        others = f"{cluster.namespace}-others"
        await cluster.create("/api/v1/namespaces", {"metadata": {"name": others}})
        try:
            tokens = {
                "anna": await add_person(cluster, cluster.namespace, "anna"),
                "ben": await add_person(cluster, others, "ben"),
                "api": await asyncio.to_thread(service_account_token, plane, cluster.namespace, "anna"),
            }
            nodes = role_binding(others, "aim-gpu-nodes-view", cluster.namespace, "anna")
            await cluster.create(f"{RBAC}/clusterrolebindings", nodes)
            await cluster.create(cluster.pods_path, pod("mine", opt_in()))
            await cluster.all_allocated(1)
            await cluster.create(f"/api/v1/namespaces/{others}/pods", pod("theirs", opt_in()))
            authority = certificate(folder)
            starting = start_live_map(plane, folder, folder, ("--metrics-secure",))
            async with starting as served, session(served.ports["ui"], authority) as http:
                yield Shared(cluster, others, http, tokens, served)
        finally:
            for path in (
                f"{RBAC}/clusterrolebindings/{others}",
                f"/api/v1/namespaces/{others}/pods/theirs",
                f"/api/v1/namespaces/{others}",
            ):
                await cluster.delete(path)


def certificate(folder: Path) -> str:
    """Put one for 127.0.0.1 into the folder; the authority that vouches for it, PEM."""
    begins = datetime.now(UTC) - timedelta(days=1)
    authority = make_authority("tests", begins, timedelta(days=30))
    leaf = issue_leaf(authority, ["127.0.0.1"], begins, timedelta(days=10))
    (folder / "tls.key").write_bytes(leaf.private_key_pem)
    (folder / "tls.crt").write_bytes(leaf.certificate_pem)
    return authority.certificate_pem.decode()


def session(port: int, authority: str) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=authority))
    return aiohttp.ClientSession(
        base_url=f"https://127.0.0.1:{port}/", timeout=aiohttp.ClientTimeout(60), connector=connector
    )


def namespaces(state: Any) -> set[str]:
    return {row["namespace"] for name in ("claims", "services") for row in state[name].values()}


async def tells_metrics(plane: Plane, site: Shared) -> None:
    """To who may read them, with the map's own certificate; all that is declared, and nothing else."""
    url = f"https://127.0.0.1:{site.served.ports['metrics']}/metrics"
    async with site.http.get(url, headers=site.as_("anna")) as answer:
        assert answer.status == 401, "a token for the map is none for the API server's audience"
    async with site.http.get(url, headers=site.as_("api")) as answer:
        assert answer.status == 403
    reader = await asyncio.to_thread(reader_token, plane)
    async with site.http.get(url, headers={"Authorization": f"Bearer {reader}"}) as answer:
        told = await answer.text()
    found = difference(UI, [told])
    assert (sorted(found.missing), sorted(found.undeclared), found.wrong) == ([], [], ())
    assert 'aim_ui_what_ifs_total{result="answered"} 1' in told
    assert 'aim_ui_what_ifs_total{result="refused"} 1' in told


async def test_each_sees_what_they_may_list_until_they_may_not(plane: Plane, tmp_path: Path) -> None:
    async with shared(plane, tmp_path) as site:
        cluster = site.cluster

        async def both() -> Any:
            found = await site.state("anna"), await site.state("ben")
            return found if found[0]["claims"] and found[1]["claims"] else None

        anna, ben = await cluster.eventually("each sees their claim", both)
        assert (namespaces(anna), namespaces(ben)) == ({cluster.namespace}, {site.others})
        assert len(anna["claims"]) + anna["others"]["claims"] == len(ben["claims"]) + ben["others"]["claims"] >= 2
        assert (cluster.names["a"] in anna["nodes"], ben["nodes"]) == (True, {})
        assert ben["others"]["nodes"] == len(anna["nodes"])
        assert site.others not in str(anna)

        async with site.http.get("api/state", headers=site.as_("api")) as answer:
            assert answer.status == 401, "a token for the API server is none for the map"

        asked = {"model": SMALL, "namespace": cluster.namespace}
        async with site.http.get("api/what-if", params=asked, headers=site.as_("anna")) as answer:
            assert (answer.status, (await answer.json())["placed"]) == (200, 1)
        async with site.http.get("api/what-if", params=asked, headers=site.as_("ben")) as answer:
            assert answer.status == 403

        await tells_metrics(plane, site)
        async with site.http.get("api/events", headers=site.as_("anna")) as answer:
            stream = events(answer)
            assert namespaces((await anext(stream))[1]["state"]) == {cluster.namespace}
            await cluster.delete(f"{RBAC}/namespaces/{cluster.namespace}/rolebindings/anna")
            began = time.monotonic()
            async with asyncio.timeout(60):
                name, told = await anext(stream)
                while name != "state":
                    name, told = await anext(stream)
            took = time.monotonic() - began
        assert (namespaces(told["state"]), told["state"]["others"]["claims"] >= 2) == (set(), True)
        print(f"\nrows gone {took:.1f} s after the RoleBinding")
        assert took < GONE_SECONDS
        log = site.served.log.read_text()
        assert [who for who, token in site.tokens.items() if token in log] == []
