"""Whatever a user of one namespace writes there, no engine of another namespace is reached by it, and none is lost."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.gateway.configuration import Caller, GatewayConfiguration, ServiceRoute
from controller.gateway.control.objects import EnginePod, Service, ServiceSlice
from controller.gateway.control.routing import Routing, Stores
from controller.gateway.control.rules import BUILT_IN
from controller.gateway.routes import RouteTable
from controller.runtime.pod_addresses import AsShown
from tests.builders.watched import claim_of, engine_pod, entry, inference_service, service_slice, stores

ATTACKER, VICTIM = "team-b", "team-a"
THEIRS = engine_pod("chat-0", VICTIM, ip="10.0.0.1")
OWN = [
    engine_pod("own-0", ATTACKER, ip="10.0.9.1", service="own"),
    engine_pod("own-1", ATTACKER, ip="10.0.9.2", service=None),
]
EVERYBODY = [THEIRS, *OWN]

names = st.sampled_from(["chat", "own", "chat-predictor", "team-a/chat", "other"])
addresses = st.sampled_from([pod.status.pod_ip for pod in EVERYBODY] + ["127.0.0.1", "169.254.169.254"])
references: st.SearchStrategy[dict[str, str]] = st.builds(
    dict,
    kind=st.sampled_from(["Pod", "Node", ""]),
    namespace=st.sampled_from([VICTIM, ATTACKER, ""]),
    name=st.sampled_from([pod.metadata.name for pod in EVERYBODY]),
    uid=st.sampled_from([pod.metadata.uid for pod in EVERYBODY]),
)
# Most of them fit a pod in every way: what is wrong in one way alone is what could slip through.
fitting: st.SearchStrategy[dict[str, Any]] = st.sampled_from(EVERYBODY).map(entry)
entries: st.SearchStrategy[dict[str, Any]] = fitting | st.builds(
    dict,
    addresses=st.lists(addresses, min_size=1, max_size=3),
    targetRef=st.none() | references,
    conditions=st.just({"ready": True}),
)


@st.composite
def slices(draw: st.DrawFn) -> list[ServiceSlice]:
    """Slices as somebody who may write them might."""
    drawn = draw(st.lists(st.tuples(names, st.lists(entries, max_size=3)), max_size=4))
    return [
        service_slice(*found, service=service, namespace=ATTACKER, name=f"s{number}")
        for number, (service, found) in enumerate(drawn)
    ]


@st.composite
def services(draw: st.DrawFn) -> list[Service]:
    """InferenceServices that are called like the victim's, or their models."""
    found = draw(st.lists(st.tuples(names, st.sampled_from(["Qwen/Qwen3-8B", "team-a/chat", "chat"])), max_size=3))
    return [inference_service(name, ATTACKER, model=model) for name, model in found if "/" not in name]


@st.composite
def relabelled(draw: st.DrawFn) -> list[EnginePod]:
    """The attacker's own pods with any label, and any annotation that says what they serve."""
    made = []
    for pod in OWN:
        told: dict[str, Any] = {"aim.amd.com/model-id": draw(st.sampled_from(["Qwen/Qwen3-8B", "team-a/chat"]))}
        service = draw(st.none() | names)
        made.append(engine_pod(pod.metadata.name, ATTACKER, ip=pod.status.pod_ip, service=service, annotations=told))
    return made


def known(found: list[ServiceSlice], wanted: list[Service], pods: list[EnginePod]) -> Stores:
    theirs = service_slice(
        {"addresses": ["10.0.0.1"], "conditions": {}, "targetRef": {
            "kind": "Pod", "namespace": VICTIM, "name": "chat-0", "uid": THEIRS.metadata.uid,
        }},
        namespace=VICTIM,
    )  # fmt: skip
    claims = [claim_of(pod, name=f"aim-{number}", partition=number) for number, pod in enumerate(EVERYBODY)]
    return stores(
        services=[inference_service(namespace=VICTIM), *wanted],
        slices=[theirs, *found],
        pods=[THEIRS, *pods],
        claims=claims,
    )


def routes(of: Stores) -> list[ServiceRoute]:
    routing = Routing(of, AsShown())
    return [route for key in sorted(routing.keys()) if (route := routing.make(key).route) is not None]


@settings(max_examples=300)
@given(slices(), services(), relabelled())
def test_no_namespace_reaches_into_another(
    found: list[ServiceSlice], wanted: list[Service], pods: list[EnginePod]
) -> None:
    of = known(found, wanted, pods)
    made = {route.key: route for route in routes(of)}
    own = {(pod.metadata.uid, pod.status.pod_ip) for pod in OWN}
    for route in made.values():
        reached = {(endpoint.uid, endpoint.host) for endpoint in route.endpoints}
        assert reached <= (own if route.namespace == ATTACKER else {(THEIRS.metadata.uid, "10.0.0.1")})
    # what the victim has is what it would have alone
    alone = {route.key: route for route in routes(known([], [], OWN))}
    assert made[f"{VICTIM}/chat"] == alone[f"{VICTIM}/chat"]
    # and its callers reach it by every name they used
    table = RouteTable(GatewayConfiguration(services=tuple(made.values()), classes=BUILT_IN))
    caller = Caller(VICTIM, "key", namespaces=frozenset({VICTIM}))
    for name in ("chat", "Qwen/Qwen3-8B", f"{VICTIM}/chat"):
        assert table.resolve(name, caller) == made[f"{VICTIM}/chat"]


@settings(max_examples=300)
@given(slices(), services(), relabelled())
def test_no_engine_is_of_two_services(found: list[ServiceSlice], wanted: list[Service], pods: list[EnginePod]) -> None:
    uids = [endpoint.uid for route in routes(known(found, wanted, pods)) for endpoint in route.endpoints]
    assert len(uids) == len(set(uids))
