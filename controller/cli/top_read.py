"""What `aim-gpu top` reads once: GPUNodes and claims, and what a Prometheus tells."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from api.v1beta1 import GPUNode, GPUPartitionClaim
from controller.cli.namespaces import require_namespace
from controller.cli.top_fleet import Fleet, Place, Use, fleet_of
from controller.cli.top_uses import NoUses, Source, read_uses
from controller.runtime.client.client import Client
from controller.runtime.client.errors import Forbidden
from controller.state.kinds import GPU_NODES, GPU_PARTITION_CLAIMS

_NO_CLAIMS: Final = (
    "the right to list gpupartitionclaims in all namespaces is missing: owners are not shown; -n NAMESPACE shows those "
    "of one"
)
_NONE: Final = (
    "no node has told of GPUs yet: label nodes aim.amd.com/managed=true, and see that the agents run (kubectl get gpun)"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which nodes (none: all), whose claims (None: of all namespaces), and the Prometheus to ask, None for nobody."""

    nodes: frozenset[str] = frozenset()
    namespace: str | None = None
    source: Source | None = None


async def read_once(client: Client, wanted: Wanted) -> Fleet:
    """The fleet as it is. Raises NoNamespace, and the client's errors."""
    nodes = [GPUNode.model_validate(each) for each in (await client.list(GPU_NODES)).items]
    try:
        found = (await client.list(GPU_PARTITION_CLAIMS, wanted.namespace)).items
        claims: list[GPUPartitionClaim] | None = [GPUPartitionClaim.model_validate(each) for each in found]
    except Forbidden:
        claims = None
    if not claims:
        await require_namespace(client, wanted.namespace)
    return await fleet_with(client, wanted, nodes, claims)


async def fleet_with(
    client: Client, wanted: Wanted, nodes: Sequence[GPUNode], claims: Sequence[GPUPartitionClaim] | None
) -> Fleet:
    """The fleet of these objects, with what the Prometheus tells."""
    shown = [each for each in nodes if not wanted.nodes or each.metadata.name in wanted.nodes]
    missing = tuple(sorted(wanted.nodes - {each.metadata.name for each in shown}))
    notes = list(_notes(wanted, shown, missing, claims))
    uses: dict[Place, Use] = {}
    if wanted.source is not None:
        try:
            uses = dict(await read_uses(client, wanted.source))
        except NoUses as error:
            notes.append(f"nothing is told of use: {error}")
    return replace(fleet_of(shown, claims, uses, notes), namespace=wanted.namespace, missing=missing)


def _notes(
    wanted: Wanted, shown: Sequence[GPUNode], missing: Sequence[str], claims: Sequence[GPUPartitionClaim] | None
) -> Iterator[str]:
    if claims is None and wanted.namespace is None:
        yield _NO_CLAIMS
    elif claims is None:
        yield f"the right to list gpupartitionclaims in namespace {wanted.namespace} is missing: owners are not shown"
    if missing:
        yield f"no GPUNode is called {', '.join(missing)}: kubectl get gpun lists them"
    silent = sorted(each.metadata.name for each in shown if not each.status.gpus)
    if not wanted.nodes and len(silent) == len(shown):
        yield _NONE
    elif silent:
        yield f"{', '.join(silent)} told of no GPU yet: see that the agent there runs"
