"""Seeded samples for the joint choice of modes: nodes of real products, claims of real models.

What a claim asks is what sizing says of a model of the catalogue, in bf16 or fp8, with its length and concurrency drawn
at random. Nodes differ as in a cluster that is in use: products, policies, GPUs that somebody holds, CPU that is left.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import count, product
from random import Random

from controller.gpu.mode import Mode, mode
from controller.gpu.product import PRODUCTS, Product
from controller.placement.demand import Resources
from controller.placement.layouts.problem import Batch, Choice, LayoutClaim, LayoutGpu, LayoutNode
from controller.sizing.catalog import Catalog
from controller.sizing.errors import SizingError
from controller.sizing.precision import Precision
from controller.sizing.requirement import ModelSizingConfig, SizingRequest

GIB = 1 << 30
MOST_CLAIMS = 200
NODE = Resources(192_000, 2304 * GIB, 110)
"""Two processors of 96 cores and 24 modules of 96 GiB, as servers with eight MI300X are sold; pods as the kubelet's own
limit."""

_LENGTHS, _CONCURRENCIES = (4096, 8192, 16384, 32768), (4, 8, 16, 32)
_RANKS = (1, 2, 4, 8)
_PRODUCTS = ("MI300X", "MI325X", "MI355X", "MI210")
_SELECTED = frozenset(map(mode, ("SPX/NPS1", "DPX/NPS2", "QPX/NPS4", "CPX/NPS4")))
"""Modes that some policies of the samples allow: one for each way to divide, so that the memory mode binds a node."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a sample is drawn from.

    `demand`: GPU memory the claims ask for as a share of what is free. `products`: nodes are drawn from these alike.
    `held`: the share of GPUs that somebody holds. `priorities` are drawn alike for every claim. `draws`: each claim is
    the smallest of so many models, so that there are more claims of small models than the catalogue has.
    """

    demand: float
    gpus: int = 64
    products: tuple[str, ...] = _PRODUCTS
    priorities: tuple[int, ...] = (0,)
    held: float = 0.1
    draws: int = 1


def sample(kind: Kind, seed: int) -> Batch:
    """The sample of that kind with that seed: always the same one."""
    chance = Random(seed)
    nodes = tuple(_nodes(kind, chance))
    claims = tuple(_claims(kind, nodes, chance))
    return Batch(nodes, claims)


@cache
def model_sizes() -> tuple[Mapping[int, int], ...]:
    """Of each model, precision, length and concurrency: bytes of a rank by the number of ranks, where it can be so many."""
    config = ModelSizingConfig(Catalog.bundled())
    asked = product(Catalog.bundled().known_ids(), (Precision.BF16, Precision.FP8), _LENGTHS, _CONCURRENCIES)
    found = (dict(_sizes(config, SizingRequest(*each))) for each in asked)
    return tuple(sizes for sizes in found if sizes)


def _sizes(config: ModelSizingConfig, request: SizingRequest) -> Iterable[tuple[int, int]]:
    for ranks in _RANKS:
        try:
            yield ranks, config.size(replace(request, tensor_parallel=ranks)).total_bytes
        except SizingError:
            continue  # the model has no such precision, length or division


def _nodes(kind: Kind, chance: Random) -> Iterator[LayoutNode]:
    left = kind.gpus
    for number in count():
        if left <= 0:
            return
        model = PRODUCTS[chance.choice(kind.products)]
        policy = chance.choices(("all", "selected", "validated"), (5, 3, 2))[0]
        allowed = [each for each in model.allowed if _allows(policy, model, each)]
        now = chance.choice(allowed)
        gpus = tuple(_gpu(model, allowed, now, index, kind.held, chance) for index in range(8))
        yield LayoutNode(f"node-{number:03}-{model.name.lower()}", gpus, NODE, reloads=all(g.others for g in gpus))
        left -= 8


def _allows(policy: str, product: Product, each: Mode) -> bool:
    return policy == "all" or each in (product.validated if policy == "validated" else _SELECTED)


def _gpu(product: Product, allowed: Sequence[Mode], now: Mode, index: int, held: float, chance: Random) -> LayoutGpu:
    bdf, whole = f"0000:{index + 1:02x}:00.0", _offers(product, now)
    if chance.random() < held:
        return LayoutGpu(bdf, replace(whole, free=chance.randrange(whole.free)))
    return LayoutGpu(bdf, whole, tuple(_offers(product, each) for each in allowed if each != now))


def _offers(product: Product, each: Mode) -> Choice:
    return Choice(each, product.partition_bytes(each), product.partition_count(each.compute))


def _claims(kind: Kind, nodes: Sequence[LayoutNode], chance: Random) -> Iterator[LayoutClaim]:
    offers = {offer for node in nodes for gpu in node.gpus for offer in (gpu.now, *gpu.others)}
    largest = max(offer.size for offer in offers)
    wanted = kind.demand * sum(gpu.now.size * gpu.now.free for node in nodes for gpu in node.gpus)
    for number in range(MOST_CLAIMS):
        if wanted <= 0:
            return
        size, ranks = min((_model(largest, chance) for _ in range(kind.draws)), key=lambda drawn: drawn[0] * drawn[1])
        modes = sorted({offer.mode for offer in offers if offer.size >= size})
        claim = LayoutClaim(
            key=f"team/claim-{number:03}",
            size=size,
            count=ranks,
            modes=frozenset([chance.choice(modes)]) if chance.random() < 0.1 else frozenset(),
            priority=chance.choice(kind.priorities),
            resources=Resources(ranks * chance.choice((1000, 2000, 4000)), ranks * chance.choice((8, 16, 32)) * GIB, 1),
            nodes=_some(nodes, chance),
        )
        yield claim
        wanted -= claim.bytes


def _model(largest: int, chance: Random) -> tuple[int, int]:
    """Bytes of a rank, and ranks: as few as fit the largest GPU; one time in six the next number that is possible."""
    while True:
        sizes = chance.choice(model_sizes())
        fitting = [ranks for ranks in sizes if sizes[ranks] <= largest]
        if fitting:
            ranks = fitting[min(len(fitting) - 1, chance.random() < 1 / 6)]
            return sizes[ranks], ranks


def _some(nodes: Sequence[LayoutNode], chance: Random) -> frozenset[str] | None:
    """Most claims may go anywhere, some to the nodes of one product, a few to half of the nodes."""
    drawn = chance.random()
    if drawn < 0.85:
        return None
    if drawn < 0.95:
        model = chance.choice(nodes).name.rpartition("-")[2]
        return frozenset(node.name for node in nodes if node.name.endswith(model))
    return frozenset(node.name for node in chance.sample(nodes, len(nodes) // 2))
