"""Names that services go by, as services come, change and go."""

from typing import Any

from api.object import dump
from controller.state.model_names import names_of
from tests.builders.cluster import FedCluster
from tests.builders.inference_service import inference_service


def service(name: str, model: str = "Qwen/Qwen3-4B", namespace: str = "team-a") -> dict[str, Any]:
    made = dump(inference_service(name, model={"id": model}))
    made["metadata"]["namespace"] = namespace
    return made


def shared(fed: FedCluster, key: str) -> dict[str, list[str]]:
    return dict(fed.cluster.model_names.shared(key))


def test_a_service_goes_by_its_name_and_by_its_models() -> None:
    assert names_of(service("chat")) == ("chat", "Qwen/Qwen3-4B")
    assert names_of(service("gpt2", "gpt2")) == ("gpt2",)
    assert names_of({"metadata": {"name": "chat"}}) == ("chat",)
    assert names_of(None) == ()


def test_two_of_one_model_share_its_name_until_one_is_gone() -> None:
    fed = FedCluster()
    for name in ("chat", "draft"):
        fed.put(fed.cluster.services, service(name))
    assert shared(fed, "team-a/chat") == {"Qwen/Qwen3-4B": ["team-a/draft"]}
    assert shared(fed, "team-a/draft") == {"Qwen/Qwen3-4B": ["team-a/chat"]}
    fed.put(fed.cluster.services, service("draft", "Qwen/Qwen3-8B"))
    assert shared(fed, "team-a/chat") == shared(fed, "team-a/draft") == {}
    fed.put(fed.cluster.services, service("draft"))
    fed.drop(fed.cluster.services, service("draft"))
    assert shared(fed, "team-a/chat") == {}


def test_a_model_may_have_the_name_of_a_service() -> None:
    fed = FedCluster()
    fed.put(fed.cluster.services, service("gpt2"))
    fed.put(fed.cluster.services, service("other", "gpt2"))
    assert shared(fed, "team-a/gpt2") == {"gpt2": ["team-a/other"]}


def test_other_namespaces_are_nobodys_business() -> None:
    fed = FedCluster()
    fed.put(fed.cluster.services, service("chat"))
    fed.put(fed.cluster.services, service("chat", namespace="team-b"))
    assert shared(fed, "team-a/chat") == {}
    assert fed.cluster.model_names.known_by("team-b", ["chat"]) == {"team-b/chat"}
    assert fed.cluster.model_names.known_by("team-c", ["chat"]) == set()
