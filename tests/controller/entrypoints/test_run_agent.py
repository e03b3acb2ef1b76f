from pathlib import Path

import pytest
import typer

from controller.entrypoints.agent_options import NodeOptions
from controller.entrypoints.run_agent import parse_nodes
from controller.gpu.mode import mode


def test_nodes_of_the_command_line() -> None:
    nodes = parse_nodes(["a=CPX/NPS4", "b=SPX/NPS1"], Path("/tokens"), 4)
    assert nodes == (
        NodeOptions("a", Path("/tokens/a"), mode("CPX/NPS4"), 4),
        NodeOptions("b", Path("/tokens/b"), mode("SPX/NPS1"), 4),
    )


@pytest.mark.parametrize(
    ("texts", "want"),
    [
        pytest.param([], "no node", id="none"),
        pytest.param(["a"], "node 'a': write NAME=MODE", id="no mode"),
        pytest.param(["=CPX/NPS4"], "write NAME=MODE", id="no name"),
        pytest.param(["a=cpx"], "mode 'cpx' is not a partition mode", id="mode misspelt"),
        pytest.param(["a=CPX/NPS4", "a=SPX/NPS1"], "node 'a': given twice", id="twice"),
    ],
)
def test_bad_nodes_are_named_with_a_remedy(texts: list[str], want: str) -> None:
    with pytest.raises(typer.BadParameter, match=want):
        parse_nodes(texts, Path("/tokens"), 8)
