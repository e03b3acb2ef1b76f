from typing import Any

from controller.gateway.configuration import ServiceRoute
from controller.gateway.control.objects import Claim, EnginePod, ServiceSlice
from controller.gateway.control.routing import Made, Routing, Stores
from controller.runtime.pod_addresses import Address, AsShown
from tests.builders.watched import (
    claim_of,
    engine_pod,
    entry,
    inference_service,
    namespace_of,
    policy_of,
    service_slice,
    stores,
)


def made(known: Stores, key: str = "team-a/chat") -> Made:
    routing = Routing(known, AsShown())
    routing.read_policies()
    return routing.make(key)


def endpoints(route: ServiceRoute | None) -> list[str]:
    assert route is not None
    return [endpoint.uid for endpoint in route.endpoints]


CHAT = [engine_pod(f"chat-{number}", ip=f"10.0.0.{number + 1}") for number in range(3)]


def a_service(**more: Any) -> Stores:
    claims = [claim_of(pod, name=f"aim-{number}", partition=number) for number, pod in enumerate(CHAT)]
    slices = [service_slice(*map(entry, CHAT))]
    given: dict[str, Any] = {"services": [inference_service()], "slices": slices, "pods": CHAT, "claims": claims}
    return stores(**given | more)


def test_a_service_has_its_pods_each_on_its_partition() -> None:
    route = made(a_service()).route
    assert route is not None
    assert [(one.host, one.port, one.partition, one.seats) for one in route.endpoints] == [
        ("10.0.0.1", 8000, "worker-0/0000:05:00.0/0", 16),
        ("10.0.0.2", 8000, "worker-0/0000:05:00.0/1", 16),
        ("10.0.0.3", 8000, "worker-0/0000:05:00.0/2", 16),
    ]


def test_a_service_without_pods_is_routed_all_the_same_so_that_its_requests_are_told_why() -> None:
    route = made(stores(services=[inference_service()])).route
    assert endpoints(route) == []


def test_what_nobody_knows_has_no_route() -> None:
    assert made(stores()).route is None


def test_a_pod_in_two_slices_is_one_engine() -> None:
    twice = [
        service_slice(entry(CHAT[0]), name="chat-4"),
        service_slice(entry(CHAT[0]), name="chat-3", ports=[{"name": "http", "port": 9000}]),
    ]
    route = made(a_service(slices=twice)).route
    assert route is not None
    assert [one.port for one in route.endpoints] == [9000]  # of the slice whose name comes first, always


def test_ipv4_goes_before_ipv6() -> None:
    pod = engine_pod(ip="10.0.0.1")
    both = [
        service_slice(entry(pod), name="z"),
        service_slice(entry(pod, address="fd00::1"), name="a", address_type="IPv6"),
    ]
    result = made(a_service(slices=both, pods=[pod], claims=[claim_of(pod)]))
    assert result.route is not None
    assert [one.host for one in result.route.endpoints] == ["10.0.0.1"]
    assert result.rejected == {}


def test_who_is_none_of_its_engines_is_told() -> None:
    stray = engine_pod("stray", ip="10.0.0.8")
    slices = [service_slice(entry(CHAT[0]), entry(stray))]
    result = made(a_service(slices=slices, pods=[CHAT[0], stray]))
    assert endpoints(result.route) == ["uid-team-a-chat-0"]
    assert {shown: one.reason for shown, one in result.rejected.items()} == {"team-a/stray": "NoClaim"}


def test_a_pod_of_another_service_is_only_there_whatever_a_slice_says() -> None:
    embed = engine_pod("embed-0", ip="10.0.0.7", service="embed")
    known = a_service(
        services=[inference_service(), inference_service("embed")],
        slices=[service_slice(entry(CHAT[0]), entry(embed)), service_slice(entry(embed), service="embed")],
        pods=[CHAT[0], embed],
        claims=[claim_of(CHAT[0]), claim_of(embed, name="aim-b", partition=5)],
    )
    assert endpoints(made(known).route) == ["uid-team-a-chat-0"]
    assert endpoints(made(known, "team-a/embed").route) == ["uid-team-a-embed-0"]


def test_kserves_predictor_service_reaches_ours() -> None:
    slices = [service_slice(*map(entry, CHAT), service="chat-predictor")]
    assert len(endpoints(made(a_service(slices=slices)).route)) == 3


def test_pods_of_a_service_of_kserves_are_routed_by_its_name() -> None:
    pod = engine_pod("k-0", service=None, labels={"serving.kserve.io/inferenceservice": "search"})
    known = stores(slices=[service_slice(entry(pod), service="search-predictor")], pods=[pod], claims=[claim_of(pod)])
    route = made(known, "team-a/search").route
    assert endpoints(route) == ["uid-team-a-k-0"]
    assert made(known, "team-a/search-predictor").route is None


def test_annotated_pods_are_routed_by_their_services_name() -> None:
    pod = engine_pod("mine-0", service=None)
    known = stores(slices=[service_slice(entry(pod), service="mine")], pods=[pod], claims=[claim_of(pod)])
    route = made(known, "team-a/mine").route
    assert route is not None
    assert endpoints(route) == ["uid-team-a-mine-0"]
    assert route.model_ids == ("mine", "Qwen/Qwen3-8B")


def test_annotated_pods_behind_two_services_are_engines_of_the_first_alone() -> None:
    pod = engine_pod("mine-0", service=None)
    slices = [service_slice(entry(pod), service=name) for name in ("mine-headless", "mine")]
    known = stores(slices=slices, pods=[pod], claims=[claim_of(pod)])
    assert endpoints(made(known, "team-a/mine").route) == ["uid-team-a-mine-0"]
    assert made(known, "team-a/mine-headless").route is None
    # which of them it is may change with either
    assert concerned(known, slices[0]) == {"team-a/mine", "team-a/mine-headless"}


def test_annotated_pods_behind_the_service_of_an_inference_service_are_not_its_engines() -> None:
    stranger = engine_pod("stranger", ip="10.0.0.8", service=None)
    known = a_service(
        slices=[service_slice(entry(CHAT[0]), entry(stranger))],
        pods=[CHAT[0], stranger],
        claims=[claim_of(CHAT[0]), claim_of(stranger, name="aim-s")],
    )
    result = made(known)
    assert endpoints(result.route) == ["uid-team-a-chat-0"]
    assert result.rejected["team-a/stranger"].reason == "NotOfService"


def test_the_class_is_of_the_policy_of_the_namespace() -> None:
    gold = {"name": "standard", "rank": 7, "starvationAfter": "1s"}
    policy = policy_of(qosClasses=[gold], namespaceSelector={"matchLabels": {"team": "a"}})
    for label, want in (("a", "standard@shared"), ("b", "standard")):
        route = made(a_service(policies=[policy], namespaces=[namespace_of(team=label)])).route
        assert route is not None
        assert route.qos.qos_class == want


class _Elsewhere:
    def resolve(self, uid: str, shown: Address) -> Address | None:
        return Address("127.0.0.1", 4000) if uid.endswith("-1") else None


def test_a_resolver_says_where_and_slices_say_who() -> None:
    route = Routing(a_service(), _Elsewhere()).make("team-a/chat").route
    assert route is not None
    assert [(one.uid, one.host, one.port) for one in route.endpoints] == [("uid-team-a-chat-1", "127.0.0.1", 4000)]


def test_every_service_with_an_object_or_a_slice_is_looked_at() -> None:
    known = a_service(services=[inference_service("idle")], slices=[service_slice(service="chat-predictor")])
    assert Routing(known, AsShown()).keys() == {"team-a/idle", "team-a/chat", "team-a/chat-predictor"}


def concerned(known: Stores, obj: ServiceSlice | EnginePod | Claim) -> set[str]:
    routing = Routing(known, AsShown())
    match obj:
        case ServiceSlice():
            return set(routing.of_slice(obj))
        case EnginePod():
            return set(routing.of_pod(obj))
        case Claim():
            return set(routing.of_claim(obj))


def test_an_event_concerns_few_services() -> None:
    known = a_service()
    assert concerned(known, CHAT[0]) == {"team-a/chat"}
    assert concerned(known, claim_of(CHAT[0])) == {"team-a/chat"}
    assert concerned(known, claim_of(*CHAT, group="g")) == {"team-a/chat"}
    assert concerned(known, service_slice()) == {"team-a/chat"}
    assert concerned(known, engine_pod("nobodys", service=None)) == set()
    assert concerned(known, claim_of(engine_pod("nobodys"))) == set()
