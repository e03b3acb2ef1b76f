import pytest

from controller.placement.packing.host import Ask
from controller.placement.trace import TraceError, TraceNode, trace_nodes, trace_pods

NODES = "sn,cpu_milli,memory_mib,gpu,model"
PODS = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos"


def test_nodes_are_read() -> None:
    assert trace_nodes("n.csv", [f"{NODES}\n", "a,64000,1024,2,P100\n", "b,8000,512,0,\n"]) == (
        TraceNode("a", 64000, 1024, 2, "P100"),
        TraceNode("b", 8000, 512, 0, ""),
    )


def test_pods_are_read_with_the_models_that_suit_them() -> None:
    rows = ["p,6000,12288,1,460,V100M16|V100M32,LS", "q,100,10,0,0,,BE", "r,100,10,8,1000,,LS"]
    assert trace_pods("p.csv", [PODS, *rows]) == (
        Ask(6000, 12288, 1, 460, frozenset({"V100M16", "V100M32"})),
        Ask(100, 10),
        Ask(100, 10, 8, 1000),
    )


def test_the_column_of_models_may_be_missing() -> None:
    assert trace_pods("p.csv", ["name,cpu_milli,memory_mib,num_gpu,gpu_milli", "p,1,2,1,1000"]) == (Ask(1, 2, 1, 1000),)


@pytest.mark.parametrize(
    ("lines", "want_text"),
    [
        pytest.param([], "first line has not the columns sn, cpu_milli", id="an empty file"),
        pytest.param(["sn,cpu_milli,gpu,model"], "has not the columns memory_mib", id="a column missing"),
        pytest.param([NODES, "a,1,2,3"], "line 2: 4 cells, the first line names 5", id="a cell missing"),
        pytest.param([NODES, "a,1.5,2,1,T4"], "line 2: cpu_milli is '1.5'", id="no whole number"),
        pytest.param([NODES, "a,-1,2,1,T4"], "cpu_milli is '-1'", id="below 0"),
        pytest.param([NODES, "a,1,2,1000,T4"], "gpu is 1000; give 64 at most", id="more GPUs than a node can have"),
        pytest.param([NODES, ",1,2,1,T4"], "sn is empty", id="no name"),
        pytest.param([NODES, "a,1,2,1,T4", "a,1,2,1,T4"], "line 3: sn a is there twice", id="a name twice"),
        pytest.param([NODES, "a,1,2,1,"], "model is empty", id="GPUs of no model"),
        pytest.param([NODES, "a,1,2,0,"], "no node has a GPU", id="no GPU at all"),
        pytest.param([NODES, 'a,"1'], "line 2: ", id="a quote left open"),
    ],
)
def test_files_that_are_no_nodes_are_refused_by_line_and_column(lines: list[str], want_text: str) -> None:
    with pytest.raises(TraceError, match=want_text) as raised:
        trace_nodes("n.csv", lines)
    assert str(raised.value).startswith("n.csv")


@pytest.mark.parametrize(
    ("row", "want_text"),
    [
        pytest.param("p,1,2,1,1001,,", "gpu_milli is 1001; give 1000 at most", id="more than a GPU of each"),
        pytest.param("p,1,2,1,0,,", "gpu_milli is 0 with num_gpu 1", id="nothing of a GPU"),
        pytest.param("p,1,2,2,500,,", "gpu_milli is 500 with num_gpu 2", id="parts of several GPUs"),
        pytest.param("p,1,2,0,0,,", "no pod asks for GPU", id="no GPU at all"),
        pytest.param("p,1,2,x,0,,", "num_gpu is 'x'", id="no number"),
    ],
)
def test_files_that_are_no_pods_are_refused(row: str, want_text: str) -> None:
    with pytest.raises(TraceError, match=want_text):
        trace_pods("p.csv", [PODS, row])
