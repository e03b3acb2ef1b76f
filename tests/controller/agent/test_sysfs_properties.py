"""A tree that is cut off anywhere is refused, or reads as the whole one: never as something else."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.agent.kfd import Topology, TopologyError
from controller.agent.simulated_backend import SimulatedBackend, SimulatedShape
from controller.agent.simulated_tree import write_tree
from controller.agent.sysfs import read_topology
from controller.gpu.mode import Mode
from tests.fakes.clock import SkippingClock


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sys")
    shape = SimulatedShape(Mode.parse("DPX/NPS2"), gpus=2)
    write_tree(root, SimulatedBackend(shape, SkippingClock(), held=frozenset, used=dict).node())
    return root


def read_damaged(root: Path, file: Path, content: bytes) -> Topology | None:
    """What the tree reads as with other content in one file; None when it is refused."""
    whole = file.read_bytes()
    try:
        file.write_bytes(content)
        return read_topology(root)
    except TopologyError:
        return None
    finally:
        file.write_bytes(whole)


FILES = ("properties", "mem_banks/0/properties", "gpu_id")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(number=st.integers(2, 5), name=st.sampled_from(FILES), share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_off_anywhere(root: Path, number: int, name: str, share: float) -> None:
    file = root / "class/kfd/kfd/topology/nodes" / str(number) / name
    whole, content = read_topology(root), file.read_bytes()
    found = read_damaged(root, file, content[: int(share * len(content))])
    assert found is None or found == whole


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(number=st.integers(0, 5), name=st.sampled_from(FILES), content=st.binary(max_size=60))
def test_a_file_of_anything(root: Path, number: int, name: str, content: bytes) -> None:
    file = root / "class/kfd/kfd/topology/nodes" / str(number) / name
    if file.exists():
        read_damaged(root, file, content)
