from pathlib import Path

import pytest

from controller.entrypoints.agent_nodes import (
    AgentOptionError,
    GivenNodes,
    GivenServer,
    chosen_backend,
    connection,
    nodes,
)
from controller.entrypoints.agent_options import BackendChoice, NodeOptions
from controller.gpu.mode import mode

AMDSMI, AUTO, SIMULATED, SYSFS = (BackendChoice(name) for name in ("amdsmi", "auto", "simulated", "sysfs"))
TOKENS, TOKEN = Path("/tokens"), Path("/token")


@pytest.mark.parametrize(
    ("asked", "given", "want"),
    [
        pytest.param(None, GivenNodes(node_name="a"), AUTO, id="a node of its own"),
        pytest.param(None, GivenNodes(), AUTO, id="nothing"),
        pytest.param(None, GivenNodes(named=["a=CPX/NPS4"]), SIMULATED, id="a node with a mode"),
        pytest.param(None, GivenNodes(count=2), SIMULATED, id="counted nodes"),
        pytest.param(SYSFS, GivenNodes(count=2), SYSFS, id="asked for"),
    ],
)
def test_the_backend_that_nobody_asked_for(asked: BackendChoice | None, given: GivenNodes, want: BackendChoice) -> None:
    assert chosen_backend(asked, given) is want


NODES = [
    pytest.param(
        GivenNodes(named=["a=CPX/NPS4", "b=SPX/NPS1"], tokens_dir=TOKENS),
        SIMULATED,
        (NodeOptions("a", TOKENS / "a", mode("CPX/NPS4"), 4), NodeOptions("b", TOKENS / "b", mode("SPX/NPS1"), 4)),
        id="named ones",
    ),
    pytest.param(
        GivenNodes(count=2, mode="DPX/NPS1"),
        SIMULATED,
        (NodeOptions("sim-0", None, mode("DPX/NPS1"), 4), NodeOptions("sim-1", None, mode("DPX/NPS1"), 4)),
        id="counted ones with the process's credential",
    ),
    pytest.param(
        GivenNodes(named=["a=CPX/NPS4"], count=1, tokens_dir=TOKENS),
        SIMULATED,
        (
            NodeOptions("a", TOKENS / "a", mode("CPX/NPS4"), 4),
            NodeOptions("sim-0", TOKENS / "sim-0", mode("SPX/NPS1"), 4),
        ),
        id="both",
    ),
    pytest.param(
        GivenNodes(named=["a=CPX/NPS4"], token_file=TOKEN),
        SIMULATED,
        (NodeOptions("a", TOKEN, mode("CPX/NPS4"), 4),),
        id="one with the one token",
    ),
    pytest.param(GivenNodes(node_name="a"), AUTO, (NodeOptions("a"),), id="its own, as the pod that it is"),
    pytest.param(GivenNodes("10-0-0-1.ec2.x"), SYSFS, (NodeOptions("10-0-0-1.ec2.x"),), id="a name with dots"),
    pytest.param(GivenNodes("a", token_file=TOKEN), AMDSMI, (NodeOptions("a", TOKEN),), id="its own, with a token"),
]


@pytest.mark.parametrize(("given", "backend", "want"), NODES)
def test_the_nodes_to_serve(given: GivenNodes, backend: BackendChoice, want: tuple[NodeOptions, ...]) -> None:
    assert nodes(given, backend, 4) == want


REFUSED = [
    pytest.param(GivenNodes(), SIMULATED, "no node: give at least one", id="no simulated node"),
    pytest.param(GivenNodes(named=["a"]), SIMULATED, "node 'a': write NAME=MODE", id="no mode"),
    pytest.param(GivenNodes(named=["=CPX/NPS4"]), SIMULATED, "write NAME=MODE", id="no name"),
    pytest.param(GivenNodes(named=["a=cpx"]), SIMULATED, "mode 'cpx' is not a partition mode", id="mode misspelt"),
    pytest.param(GivenNodes(count=1, mode="X"), SIMULATED, "--mode: mode 'X' is not", id="mode of counted ones"),
    pytest.param(GivenNodes(named=["a=CPX/NPS4", "a=SPX/NPS1"]), SIMULATED, "node 'a': given twice", id="twice"),
    pytest.param(GivenNodes(named=["sim-0=CPX/NPS4"], count=1), SIMULATED, "--nodes 1 has it too", id="counted too"),
    pytest.param(GivenNodes(node_name="a"), SIMULATED, "--node-name a: is of real GPUs", id="own node, simulated"),
    pytest.param(GivenNodes(count=2, token_file=TOKEN), SIMULATED, "bound to one node", id="one token for two"),
    pytest.param(
        GivenNodes(count=1, token_file=TOKEN, tokens_dir=TOKENS), SIMULATED, "not both", id="token and tokens"
    ),
    pytest.param(GivenNodes(), AUTO, r"with real GPUs \(auto\) give --node-name", id="no node of its own"),
    pytest.param(GivenNodes("a", named=["b=CPX/NPS4"]), AMDSMI, "--node: nodes of real GPUs", id="made up"),
    pytest.param(GivenNodes("a", count=2), SYSFS, "--nodes: nodes of real GPUs", id="counted, real"),
    pytest.param(GivenNodes("a", tokens_dir=TOKENS), AUTO, "--tokens-dir: is of simulated", id="tokens of one node"),
    pytest.param(GivenNodes("Bad_Name"), AUTO, "--node-name 'Bad_Name': no Node is called so: write it", id="no name"),
    pytest.param(GivenNodes("a."), SYSFS, r"--node-name 'a\.': no Node is called so", id="a dot at the end"),
    pytest.param(GivenNodes("a" * 254), SYSFS, "no Node is called so.*at most 253", id="a name too long"),
    pytest.param(GivenNodes(named=["A=CPX/NPS4"]), SIMULATED, "--node 'A': no Node is called so", id="simulated too"),
]


@pytest.mark.parametrize(("given", "backend", "want"), REFUSED)
def test_nodes_that_cannot_be_are_refused_with_a_remedy(given: GivenNodes, backend: BackendChoice, want: str) -> None:
    with pytest.raises(AgentOptionError, match=want):
        nodes(given, backend, 8)


def test_a_server_of_its_own_is_reached_with_the_nodes_tokens() -> None:
    found = connection(GivenServer(server="https://a:1", ca_file=Path("/ca")), GivenNodes(tokens_dir=TOKENS))
    assert (found.server, found.ca, found.token_file) == ("https://a:1", "/ca", None)


@pytest.mark.parametrize(
    ("given", "want"),
    [
        pytest.param(GivenServer(server="https://a:1"), "no token for it", id="no token"),
        pytest.param(GivenServer(Path("/k"), "https://a:1"), "--kubeconfig names a server too", id="two servers"),
        pytest.param(GivenServer(ca_file=Path("/ca")), "--ca-file /ca: goes with --server", id="authority alone"),
    ],
)
def test_a_server_that_cannot_be_is_refused_with_a_remedy(given: GivenServer, want: str) -> None:
    with pytest.raises(AgentOptionError, match=want):
        connection(given, GivenNodes())
