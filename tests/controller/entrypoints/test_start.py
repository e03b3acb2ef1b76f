"""What a command loads before it answers. A person waits for that: each package here is one that nobody needs there.

Bounds on modules, as they do not depend on the machine; what they cost in time stands in docs/figures.md.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Final

import pytest

from controller.cli.simulated_tree import write_simulated
from tests.controller.cli.conftest import KUBECONFIG
from tests.controller.cli.fleet_scene import FleetServer

PROGRAM: Final = """
import sys
from controller.entrypoints.main import main
sys.argv = ["aim-gpu", *sys.argv[1:]]
try:
    main()
finally:
    print("\\n", *sys.modules, file=sys.stderr)
"""
#: For nobody who asks one question: what draws, logs, measures, signs, computes with arrays.
NEVER: Final = frozenset(
    {"numpy", "kubernetes_asyncio", "grpclib", "opentelemetry", "structlog", "pytest", "uvloop", "amdsmi"}
)
DRAWING: Final = frozenset({"rich", "yaml"})


#: What decides, and what feeds it: the operator's scheduler takes longer to load than all else.
DECIDING: Final = frozenset(
    {"controller.placement.scheduler", "controller.state.cluster", "controller.repartition.planner"}
)


#: What carries decisions out, and tells of it.
ACTING: Final = frozenset(
    {
        "controller.reconcilers.gpu_partition_claim.cycle",
        "controller.runtime.event_recorder",
        "controller.agent.operation",
    }
)
#: What reads and admits what files ask for.
FOR_FILES: Final = frozenset({"controller.cli.wanted", "controller.webhooks", "controller.cli.offline_nodes"})

SERVICE: Final = """
apiVersion: aim.amd.com/v1beta1
kind: InferenceService
metadata: {name: more, namespace: team-a}
spec: {model: {id: Qwen/Qwen3-4B}}
"""


@pytest.fixture
async def server() -> AsyncIterator[FleetServer]:
    fleet = FleetServer()
    async with fleet:
        yield fleet


@pytest.fixture
def kubeconfig(server: FleetServer, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(current="fake", url=server.url))
    return path


async def loaded(*arguments: str) -> set[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, *arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    told, beside = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode in (0, 3), beside[-2000:]
    assert told
    return set(beside.decode().rpartition("\n ")[2].split())


@pytest.mark.parametrize(
    ("line", "most", "without"),
    [
        ("size Qwen/Qwen3-4B", 215, DRAWING | {"typer", "pydantic", "asyncio", "aiohttp", "controller.placement"}),
        ("size Qwen/Qwen3-4B -o json", 215, DRAWING | {"typer", "pydantic", "asyncio", "aiohttp"}),
        ("profiles show Qwen/Qwen3-4B --gpu MI300X", 215, DRAWING | {"typer", "pydantic", "asyncio", "aiohttp"}),
        ("completion bash", 120, DRAWING | {"typer", "pydantic", "asyncio", "aiohttp"}),
        ("crds", 120, DRAWING | {"typer", "pydantic", "asyncio", "aiohttp", "api.openapi.crd"}),
        ("--help", 340, {"yaml", "pydantic", "asyncio", "aiohttp", "api", "controller.cli.completion"}),
        ("rocm --path ROCM", 295, DRAWING | {"asyncio", "aiohttp", "api"}),
        ("inventory --sysfs-root TREE", 310, DRAWING | {"asyncio", "aiohttp", "api"}),
        ("simulate --help", 465, {"yaml", "asyncio", "aiohttp", "api", "controller.placement.scheduler"}),
        ("__complete zsh ex", 110, DRAWING | {"typer", "pydantic", "asyncio", "aiohttp"}),
    ],
)
async def test_without_a_cluster(line: str, most: int, without: Collection[str], tmp_path: Path) -> None:
    write_simulated("MI300X=DPX/NPS1", 1, tmp_path / "tree")
    (tmp_path / ".info").mkdir()
    (tmp_path / ".info" / "version").write_text("6.4.1-83\n")
    modules = await loaded(*line.replace("TREE", str(tmp_path / "tree")).replace("ROCM", str(tmp_path)).split())
    assert modules & (NEVER | set(without)) == set()
    assert len(modules) <= most


@pytest.mark.parametrize(
    ("line", "most", "without"),
    [
        ("approve spx-to-dpx -o json", 530, {"rich", "controller.placement", "controller.state.cluster"}),
        ("rollback spx-to-dpx -o json", 530, {"rich", "controller.placement"}),
        ("top -o json", 540, {"rich", "controller.runtime.cache", "controller.state.cluster"}),
        ("top", 540, {"rich", "controller.runtime.cache"}),
        ("release --all --dry-run", 530, DRAWING - {"yaml"} | DECIDING | {"api.object"}),
        ("diagnose --out BUNDLE -o json", 530, {"rich"} | DECIDING | {"api.object"}),
        ("explain node/gpu-a", 805, {"rich"} | ACTING | FOR_FILES),
        ("explain claim/aim-waits -n team-b", 805, {"rich"} | ACTING | FOR_FILES),
        ("drain gpu-a --dry-run -o json", 845, {"rich"} | ACTING | FOR_FILES),
        ("plan --cluster -f FILE", 875, {"rich"} | ACTING),
    ],
)
async def test_with_a_cluster(line: str, most: int, without: Collection[str], kubeconfig: Path) -> None:
    file = kubeconfig.with_name("more.yaml")
    file.write_text(SERVICE)
    words = line.replace("BUNDLE", str(kubeconfig.with_name("bundle.tar.gz"))).replace("FILE", str(file)).split()
    modules = await loaded(*words, "--kubeconfig", str(kubeconfig))
    assert modules & (NEVER | set(without)) == set()
    assert len(modules) <= most


@pytest.mark.parametrize(("what", "most"), [("claim/aim-waits", 535), ("node/gpu-a", 535), ("pod/waits-0", 590)])
async def test_who_may_not_read_what_decides_does_not_wait_for_it(
    what: str, most: int, server: FleetServer, kubeconfig: Path
) -> None:
    server.forbidden = {"leases", "gpusharingpolicies"}
    modules = await loaded("explain", what, "-n", "team-b", "--kubeconfig", str(kubeconfig))
    assert modules & (NEVER | DECIDING | {"rich", "controller.runtime.cache"}) == set()
    assert len(modules) <= most
