from dataclasses import replace

import pytest

from controller.gateway import routes as room
from controller.gateway.configuration import ANYBODY, Caller, GatewayConfiguration, ServiceRoute
from controller.gateway.errors import Problem
from controller.gateway.routes import Operation, RouteTable, find_operation
from controller.qos.settings import ModelSettings

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def service(key: str, *model_ids: str) -> ServiceRoute:
    namespace, _, name = key.partition("/")
    return ServiceRoute(namespace, name, model_ids, ModelSettings(key, "standard"))


def of(*namespaces: str) -> Caller:
    return Caller(namespaces[0], "key-1", namespaces=frozenset(namespaces))


A_CHAT = service("team-a/chat", LLAMA)
A_OTHER = service("team-a/other", LLAMA, "summary")
B_CHAT = service("team-b/chat", LLAMA)
B_ONLY = service("team-b/search", "bge-m3")
SPOOF = service("team-b/x", "team-a/chat")
ALL = (A_CHAT, A_OTHER, B_CHAT, B_ONLY, SPOOF)
HOSTS = {"a.example": "team-a", "b.example": "team-b"}


@pytest.fixture
def table() -> RouteTable:
    return RouteTable(GatewayConfiguration(services=ALL, host_namespaces=HOSTS))


FOUND = [
    ("a service's name", "chat", of("team-a"), None, A_CHAT),
    ("the same name of another team's", "chat", of("team-b"), None, B_CHAT),
    ("an id that one service has", "summary", of("team-a"), None, A_OTHER),
    ("the exact key", "team-b/chat", of("team-a", "team-b"), None, B_CHAT),
    ("a name that the host decides", "chat", of("team-a", "team-b"), "b.example", B_CHAT),
    ("an id that only the other team's host makes clear", LLAMA, of("team-a", "team-b"), "b.example", B_CHAT),
    ("a host that stands for nothing", "search", of("team-b"), "gateway", B_ONLY),
    ("any service, where the gateway is open", "search", ANYBODY, None, B_ONLY),
    ("the service, and not who calls its model so", "team-a/chat", ANYBODY, None, A_CHAT),
    ("the caller's own of a name that a neighbour has too", "chat", of("team-a", "team-b"), None, A_CHAT),
    ("and the other way round", "chat", of("team-b", "team-a"), None, B_CHAT),
    ("the caller's own by a key of its own", "chat", replace(of("team-b", "team-a"), tenant="team-b/ci"), None, B_CHAT),
]


@pytest.mark.parametrize(("model", "caller", "host", "want"), [row[1:] for row in FOUND], ids=[row[0] for row in FOUND])
def test_finds(table: RouteTable, model: str, caller: Caller, host: str | None, want: ServiceRoute) -> None:
    assert table.resolve(model, caller, host) is want


NOT_FOUND = [
    ("another team's name", "search", of("team-a"), None),
    ("another team's key", "team-b/search", of("team-a"), None),
    ("another team's id", "bge-m3", of("team-a"), None),
    ("a key of the caller's that the host is not for", "team-b/search", of("team-a", "team-b"), "a.example"),
    ("another team's name at its host", "search", of("team-a"), "b.example"),
    ("a name in other letters", "Chat", of("team-a"), None),
    ("nothing", "", of("team-a"), None),
    ("a key with more to it", "team-a/chat/", of("team-a"), None),
    ("a way up", "team-a/../team-b/search", of("team-a"), None),
    ("anything, for a caller of no namespace", "chat", Caller("team-a", "key-1"), None),
]


@pytest.mark.parametrize(("model", "caller", "host"), [row[1:] for row in NOT_FOUND], ids=[row[0] for row in NOT_FOUND])
def test_does_not_find(table: RouteTable, model: str, caller: Caller, host: str | None) -> None:
    found = table.resolve(model, caller, host)
    assert isinstance(found, Problem)
    assert (found.status, found.reason, found.param) == (404, "ModelNotFound", "model")


def test_another_teams_model_and_none_are_refused_alike(table: RouteTable) -> None:
    there, nowhere = table.resolve("search", of("team-a")), table.resolve("serach", of("team-a"))
    assert isinstance(there, Problem)
    assert isinstance(nowhere, Problem)
    assert there.message.replace("search", "serach") == nowhere.message


def test_another_teams_service_takes_no_name_away(table: RouteTable) -> None:
    spoofed = RouteTable(GatewayConfiguration(services=(A_CHAT, service("team-b/y", "chat", "team-a/chat", LLAMA))))
    for model in ("chat", LLAMA, "team-a/chat"):
        assert spoofed.resolve(model, of("team-a")) is A_CHAT


def test_a_namespace_named_as_a_publisher_takes_no_model_away() -> None:
    ours, theirs = service("team-a/llm", "openai/gpt-oss-20b"), service("openai/gpt-oss-20b", "gpt-oss-20b")
    table = RouteTable(GatewayConfiguration(services=(ours, theirs)))
    assert table.resolve("openai/gpt-oss-20b", of("team-a", "openai")) is ours
    assert table.resolve("openai/gpt-oss-20b", of("openai", "team-a")) is theirs
    assert [name for name, _ in table.models(of("team-a", "openai"))] == ["gpt-oss-20b", "llm"]


def test_a_name_that_several_have_is_refused_with_what_to_write(table: RouteTable) -> None:
    found = table.resolve(LLAMA, of("team-a"))
    assert isinstance(found, Problem)
    assert (found.status, found.reason) == (409, "ModelAmbiguous")
    assert "team-a/chat, team-a/other" in found.message
    assert "team-b" not in found.message


def test_duplicates_are_told_by_namespace(table: RouteTable) -> None:
    assert table.duplicates == {"team-a": {LLAMA: (A_CHAT, A_OTHER)}}


def test_lists_what_the_caller_may_call_by_the_shortest_name_that_reaches_it(table: RouteTable) -> None:
    assert [name for name, _ in table.models(of("team-b"))] == ["chat", "search", "x"]
    both = of("team-a", "team-b")
    assert [name for name, _ in table.models(both)] == ["chat", "other", "team-b/chat", "search", "x"]
    assert [name for name, _ in table.models(both, "a.example")] == ["chat", "other"]
    for name, route in table.models(both):
        assert table.resolve(name, both) is route


def test_scopes_that_come_and_go_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch, table: RouteTable) -> None:
    monkeypatch.setattr(room, "SCOPES_REMEMBERED", 10)
    for number in range(100):
        assert table.resolve("chat", of("team-a", f"team-{number}-else")) is A_CHAT
        assert len(table._scopes) <= 10


PATHS = [
    ("POST", "/v1/chat/completions", Operation.CHAT),
    ("POST", "/v1/completions", Operation.COMPLETIONS),
    ("POST", "/v1/embeddings", Operation.EMBEDDINGS),
    ("POST", "/v1/rerank", Operation.RERANK),
    ("POST", "/rerank", Operation.RERANK),
    ("GET", "/v1/models", Operation.MODELS),
    ("GET", "/v1/models/meta-llama/Llama", Operation.MODELS),
]


@pytest.mark.parametrize(("method", "path", "want"), PATHS)
def test_paths(method: str, path: str, want: Operation) -> None:
    assert find_operation(method, path) is want


REFUSED = [
    ("GET", "/v1/chat/completions", 405, "POST"),
    ("HEAD", "/v1/models", 405, "GET"),
    ("TRACE", "/v1/models", 405, "GET"),
    ("POST", "/v1/models", 405, "GET"),
    ("POST", "/v1/chat/completions/", 404, None),
    ("POST", "/v1//chat/completions", 404, None),
    ("POST", "/v1/chat/../completions", 404, None),
    ("POST", "/v1/chat%2fcompletions", 404, None),
    ("POST", "/V1/completions", 404, None),
    ("GET", "/metrics", 404, None),
    ("OPTIONS", "*", 404, None),
]


@pytest.mark.parametrize(("method", "path", "want_status", "want_allow"), REFUSED)
def test_paths_that_are_none(method: str, path: str, want_status: int, want_allow: str | None) -> None:
    found = find_operation(method, path)
    assert isinstance(found, Problem)
    assert (found.status, found.allow) == (want_status, want_allow)


def test_only_text_is_generated() -> None:
    assert [operation for operation in Operation if operation.generates] == [Operation.CHAT, Operation.COMPLETIONS]
