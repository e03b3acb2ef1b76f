import asyncio
import hashlib
import json
from pathlib import Path

import pytest
import structlog

from controller.gateway.configuration import Caller
from controller.gateway.control.routing import Made, Routing
from controller.gateway.control.watching import SETTLE_SECONDS
from controller.qos.settings import TenantSettings
from controller.runtime.client.core import ENDPOINT_SLICES, NAMESPACES, PODS, SECRETS
from controller.state.kinds import GPU_PARTITION_CLAIMS, GPU_SHARING_POLICIES, INFERENCE_SERVICES
from tests.controller.gateway.control.conftest import Cluster, a_cluster, secret

pytestmark = pytest.mark.looptime


async def test_an_empty_cluster_is_a_configuration_too(cluster: Cluster) -> None:
    assert cluster.latest.services == ()
    assert [one.name for one in cluster.latest.classes] == ["realtime", "standard", "batch"]
    assert cluster.latest.open  # as it was told


async def test_a_service_grows_with_its_pods(cluster: Cluster) -> None:
    cluster.put_service()
    await cluster.settled()
    assert cluster.engines() == []
    entries = [cluster.put_pod(f"chat-{number}", partition=number) for number in range(2)]
    cluster.put_slice(*entries)
    await cluster.settled()
    assert cluster.engines() == sorted(entry["targetRef"]["uid"] for entry in entries)


async def test_a_slice_that_comes_before_its_pod_is_believed_once_the_pod_is_there(cluster: Cluster) -> None:
    cluster.put_service()
    entry = cluster.put_pod("chat-0")
    pod = cluster.store.get(PODS, "chat-0", "team-a")
    cluster.store.delete(PODS, "chat-0", "team-a", grace=0)
    cluster.put_slice(entry)
    await cluster.settled()
    assert cluster.engines() == []
    later = cluster.put_pod("chat-0")
    cluster.put_slice(entry | {"addresses": later["addresses"], "targetRef": later["targetRef"]})
    await cluster.settled()
    assert cluster.engines() == [later["targetRef"]["uid"]]
    assert later["targetRef"]["uid"] != pod["metadata"]["uid"]


async def test_a_claim_that_loses_its_partition_takes_the_engine_along(cluster: Cluster) -> None:
    cluster.put_service()
    cluster.put_slice(cluster.put_pod("chat-0"))
    await cluster.settled()
    assert len(cluster.engines()) == 1
    cluster.store.write(
        GPU_PARTITION_CLAIMS, "aim-chat-0", "team-a", {"status": {"phase": "Released"}}, subresource="status"
    )
    await cluster.settled()
    assert cluster.engines() == []
    assert cluster.watching.statistics().rejected == {"NotBound": 1}


async def test_a_pod_that_is_deleted_gets_nothing_new_before_its_slice_says_so(cluster: Cluster) -> None:
    cluster.put_service()
    cluster.put_slice(cluster.put_pod("chat-0"))
    await cluster.settled()
    cluster.store.delete(PODS, "chat-0", "team-a", grace=3600)
    await cluster.settled()
    assert cluster.engines() == []
    (route,) = cluster.latest.services
    assert [endpoint.ready for endpoint in route.endpoints] == [False]  # what runs there goes on


async def test_a_service_that_goes_takes_its_route_along(cluster: Cluster) -> None:
    cluster.put_service()
    await cluster.settled()
    cluster.store.delete(INFERENCE_SERVICES, "chat", "team-a")
    await cluster.settled()
    assert cluster.latest.services == ()


async def test_ordinary_services_of_the_cluster_are_no_business_of_ours(cluster: Cluster) -> None:
    cluster.put(PODS, {"metadata": {"name": "web", "namespace": "shop"}, "spec": {}, "status": {"podIP": "10.9.9.9"}})
    uid = cluster.store.get(PODS, "web", "shop")["metadata"]["uid"]
    target = {"kind": "Pod", "namespace": "shop", "name": "web", "uid": uid}
    with structlog.testing.capture_logs() as logs:
        cluster.put_slice({"addresses": ["10.9.9.9"], "targetRef": target}, service="web", namespace="shop")
        await cluster.settled()
    assert cluster.latest.services == ()
    assert cluster.watching.statistics().rejected == {}
    assert [line for line in logs if line["log_level"] == "warning"] == []


async def test_many_changes_at_once_are_few_reloads(cluster: Cluster) -> None:
    before = len(cluster.given)
    for number in range(100):
        cluster.put_service(f"model-{number}")
    await cluster.settled()
    assert len(cluster.latest.services) == 100
    assert len(cluster.given) - before <= 3
    assert SETTLE_SECONDS <= 0.2  # and still nobody waits long


async def test_the_longer_a_reload_takes_the_longer_the_next_one_waits(cluster: Cluster) -> None:
    cluster.takes = 0.05
    cluster.put_service("one")
    await cluster.settled()
    before = len(cluster.given)
    for number in range(40):  # a change each tenth of a second
        cluster.put_service(f"model-{number}")
        await asyncio.sleep(0.1)
    assert 3 <= len(cluster.given) - before <= 5  # one a second, and not ten
    await cluster.settled()
    assert len(cluster.latest.services) == 41


async def test_nothing_new_is_no_reload(cluster: Cluster) -> None:
    cluster.put_service()
    await cluster.settled()
    before = len(cluster.given)
    await cluster.settled()
    assert len(cluster.given) == before


async def test_keys_come_and_go_without_a_restart(cluster: Cluster) -> None:
    cluster.put(SECRETS, secret(old="sk-old"))
    await cluster.settled()
    ours = frozenset({"team-a"})
    assert cluster.callers.find(b"sk-old") == Caller("team-a", "old", namespaces=ours)
    cluster.put(SECRETS, secret(old="sk-old", new="sk-new"))  # both hold while clients change over
    await cluster.settled()
    assert cluster.callers.find(b"sk-old") is not None
    assert cluster.callers.find(b"sk-new") == Caller("team-a", "new", namespaces=ours)
    cluster.store.delete(SECRETS, "aim-gpu-gateway-keys", "team-a")
    await cluster.settled()
    assert cluster.callers.find(b"sk-old") is None
    assert cluster.latest.keys == {}


async def test_keys_of_namespaces_that_were_not_listed_count_nothing(cluster: Cluster) -> None:
    cluster.put(SECRETS, secret("team-b", ci="sk-b"))
    await cluster.settled()
    assert cluster.callers.find(b"sk-b") is None


async def test_all_namespaces_can_be_listed() -> None:
    async with a_cluster(namespaces=["*"]) as cluster:
        cluster.put(SECRETS, secret("team-b", ci="sk-b"))
        cluster.put(SECRETS, {"metadata": {"name": "other", "namespace": "team-b"}, "data": {"ci": "c2s="}})
        await cluster.settled()
        assert cluster.latest.keys == {
            hashlib.sha256(b"sk-b").digest(): Caller("team-b", "ci", namespaces=frozenset({"team-b"}))
        }


async def test_a_policys_terms_hold_for_keys_at_once(cluster: Cluster) -> None:
    cluster.put(SECRETS, secret(ci="sk-1"))
    terms = {"namespace": "team-a", "ceiling": "batch", "maxRate": 3, "namespaces": ["team-b"]}
    cluster.put(GPU_SHARING_POLICIES, {"metadata": {"name": "shared"}, "spec": {"callers": [terms]}})
    await cluster.settled()
    assert cluster.callers.find(b"sk-1") == Caller("team-a", "ci", "batch", frozenset({"team-a", "team-b"}))
    assert cluster.latest.tenants == {"team-a": TenantSettings(max_rate=3.0)}


async def test_a_namespaces_labels_choose_its_policy(cluster: Cluster) -> None:
    gold = {"name": "standard", "rank": 0, "starvationAfter": "1s"}
    spec = {"namespaceSelector": {"matchLabels": {"tier": "gold"}}, "qosClasses": [gold]}
    cluster.put(NAMESPACES, {"metadata": {"name": "team-a"}})
    cluster.put(GPU_SHARING_POLICIES, {"metadata": {"name": "gold"}, "spec": spec})
    cluster.put_service()
    await cluster.settled()
    assert cluster.latest.services[0].qos.qos_class == "standard"
    cluster.put(NAMESPACES, {"metadata": {"name": "team-a", "labels": {"tier": "gold"}}})
    await cluster.settled()
    assert cluster.latest.services[0].qos.qos_class == "standard@gold"


async def test_a_configuration_that_is_refused_leaves_the_old_one_and_is_told(cluster: Cluster) -> None:
    cluster.refuse = True
    with structlog.testing.capture_logs() as logs:
        cluster.put_service()
        await cluster.settled()
    assert cluster.latest.services == ()
    assert cluster.watching.statistics().refused == 1
    assert [line["problem"] for line in logs if line["log_level"] == "error"] == ["not today"]
    cluster.refuse = False
    cluster.put_service("other")
    await cluster.settled()
    assert len(cluster.latest.services) == 2


async def test_a_service_that_nobody_understands_is_served_as_before_and_stops_no_other(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.put_service("odd")
    await cluster.settled()
    make = Routing.make

    def fails(self: Routing, key: str) -> Made:
        if key == "team-a/odd":
            raise KeyError("what nobody thought of")
        return make(self, key)

    monkeypatch.setattr(Routing, "make", fails)
    with structlog.testing.capture_logs() as logs:
        cluster.put_service("odd", **{"class": "batch"})
        cluster.put_service("other")
        await cluster.settled()
    assert {route.key: route.qos.qos_class for route in cluster.latest.services} == {
        "team-a/odd": "standard",
        "team-a/other": "standard",
    }
    assert [line["service"] for line in logs if line["log_level"] == "error"] == ["team-a/odd"]


async def test_what_is_amiss_is_told_once(cluster: Cluster) -> None:
    cluster.put_service(**{"class": "platinum"})
    with structlog.testing.capture_logs() as logs:
        await cluster.settled()
        cluster.put_service("other")
        await cluster.settled()
    told = [line["problem"] for line in logs if line["event"] == "not usable as it is"]
    assert told == ["team-a/chat: class 'platinum' is none of realtime, standard, batch: batch is taken"]


async def test_a_file_says_where_engines_are_reached(tmp_path: Path) -> None:
    addresses = tmp_path / "addresses.json"
    async with a_cluster(addresses=addresses) as cluster:
        cluster.put_service()
        entry = cluster.put_pod("chat-0")
        cluster.put_slice(entry)
        await cluster.settled()
        assert cluster.engines() == []  # nobody listens for it yet
        addresses.write_text(json.dumps({entry["targetRef"]["uid"]: "127.0.0.1:4000", "stranger": "127.0.0.1:1"}))
        await cluster.settled()
        (endpoint,) = cluster.latest.services[0].endpoints
        assert (endpoint.host, endpoint.port) == ("127.0.0.1", 4000)
        cluster.store.delete(ENDPOINT_SLICES, "chat-x", "team-a")
        await cluster.settled()
        assert cluster.engines() == []  # who is an engine is the slices' to say


async def test_a_file_that_cannot_be_read_changes_nothing_and_is_told(tmp_path: Path) -> None:
    addresses = tmp_path / "addresses.json"
    async with a_cluster(addresses=addresses) as cluster:
        cluster.put_service()
        entry = cluster.put_pod("chat-0")
        cluster.put_slice(entry)
        addresses.write_text(json.dumps({entry["targetRef"]["uid"]: "127.0.0.1:4000"}))
        await cluster.settled()
        with structlog.testing.capture_logs() as logs:
            addresses.write_text("{")
            await cluster.settled()
        assert cluster.engines() == [entry["targetRef"]["uid"]]
        assert [line["event"] for line in logs] == ["addresses not read"]
