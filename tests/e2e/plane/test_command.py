"""What `python -m e2e.plane` makes of its command line."""

import pytest

from e2e.plane.__main__ import _parser, simulated


@pytest.mark.parametrize(
    ("line", "nodes"),
    [("", 3), ("--nodes 5", 5), ("--nodes 0", 0), ("--real-nodes 1", 0), ("--real-nodes 2 --nodes 4", 4)],
)
def test_simulated_nodes_are_beside_real_ones_only_when_asked_for(line: str, nodes: int) -> None:
    assert simulated(_parser().parse_args(line.split())) == nodes
