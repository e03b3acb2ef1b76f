from pathlib import Path

from controller.entrypoints.agent_options import AgentOptions, NodeOptions
from controller.runtime.client.configuration import ClientConfiguration, Impersonation

CONNECTION = ClientConfiguration(
    server="https://a:1",
    ca="/ca",
    token="secret",
    client_certificate="/crt",
    client_key="/key",
    impersonate=Impersonation("somebody"),
)


def test_a_node_with_a_token_of_its_own_asks_as_nobody_else() -> None:
    node = NodeOptions("a", Path("/token"))
    found = AgentOptions((node,), CONNECTION).configuration(node)
    assert found == ClientConfiguration(server="https://a:1", ca="/ca", token_file=Path("/token"))


def test_a_node_without_one_asks_as_the_process() -> None:
    node = NodeOptions("a")
    assert AgentOptions((node,), CONNECTION).configuration(node) == CONNECTION
