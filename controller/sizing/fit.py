"""Which partitions hold a model: one where that is possible, else several with tensor parallelism."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from controller.gpu.mode import Mode
from controller.gpu.product import Product
from controller.sizing.engine_support import runs
from controller.sizing.estimate import SizingRequest, estimate_model_size
from controller.sizing.facts import ModelFacts
from controller.sizing.precision import resolve_precision
from controller.sizing.tensor_parallel import possible_ranks


@dataclass(frozen=True, slots=True)
class Headroom:
    """What of a partition shall stay free over the need: the larger of a share of it and of so many bytes."""

    percent: int = 0
    bytes: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.percent < 100:
            raise ValueError(f"headroom of {self.percent} % leaves nothing: use 0 to 99")
        if self.bytes < 0:
            raise ValueError(f"headroom of {self.bytes} bytes is negative: use 0 or more")

    def of(self, partition_bytes: int) -> int:
        """Bytes that shall stay free of a partition of so many bytes."""
        return max(partition_bytes * self.percent // 100, self.bytes)


NO_HEADROOM = Headroom()
"""A sizing holds a margin already."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A way to hold a requirement: ``count`` partitions of a product (by name) in a mode, on ``gpus`` GPUs.

    More than one partition are ranks of tensor parallelism. ``headroom_bytes`` is what is left over in each.
    """

    product: str
    mode: Mode
    count: int
    headroom_bytes: int
    gpus: int = 1


def fits(product: Product, total_bytes: int, headroom: Headroom = NO_HEADROOM) -> tuple[Fit, ...]:
    """The allowed modes in which one partition holds ``total_bytes``, the smallest partitions first.

    Of memory alone: whether the engine runs there is ``engine_support``'s to say. Among equal sizes the modes AMD
    validates come first. Empty when not even the whole GPU is large enough, or when the product's memory is not
    established.
    """
    return tuple(
        Fit(product.name, mode, 1, size - total_bytes)
        for size, mode in _modes(product)
        if size - headroom.of(size) >= total_bytes
    )


def optimal_partitions(
    facts: ModelFacts,
    request: SizingRequest,
    products: Iterable[Product],
    headroom: Headroom = NO_HEADROOM,
    most_gpus: int = 8,
) -> tuple[Fit, ...]:
    """The partitions that hold the request, across products: fewest GPUs first, then least memory, then fewest ranks.

    A product on which the engine does not run in that precision has none (``engine_support.obstacle`` says why).

    Of a product on which one partition is enough, all modes of that kind are given. Of another each mode is given
    with the fewest ranks that fit, at most on ``most_gpus`` GPUs. A request for tensor parallelism gets just that many.
    Raises what ``estimate_model_size`` raises.
    """
    precision = resolve_precision(facts, request.precision)
    known = [product for product in products if product.vram_mib is not None and runs(product, precision)]
    place = {product.name: index for index, product in enumerate(known)}
    of = {product.name: product for product in known}
    needs = _Needs(facts, request)
    found = [fit for product in known for fit in _fits_of(product, needs, headroom, most_gpus)]

    def rank(fit: Fit) -> tuple[int, int, int, bool, int, Mode]:
        product = of[fit.product]
        memory = fit.count * product.partition_bytes(fit.mode)
        return fit.gpus, memory, fit.count, fit.mode not in product.validated, place[fit.product], fit.mode

    return tuple(sorted(found, key=rank))


class _Needs:
    """What one rank needs, by the number of ranks; each number is counted once."""

    def __init__(self, facts: ModelFacts, request: SizingRequest) -> None:
        self._facts = facts
        self._request = request
        self._bytes: dict[int, int] = {}

    @property
    def asked(self) -> int:
        """Ranks that were asked for; 1 leaves it to us."""
        return self._request.tensor_parallel

    def ranks(self, most: int) -> tuple[int, ...]:
        """Possible numbers of ranks, more than one."""
        if self.asked > 1:
            return (self.asked,) if self.asked <= most else ()
        precision = resolve_precision(self._facts, self._request.precision)
        return possible_ranks(self._facts, precision, most)[1:]

    def of(self, ranks: int) -> int:
        """Bytes of one of so many ranks."""
        if ranks not in self._bytes:
            self._bytes[ranks] = estimate_model_size(
                self._facts, replace(self._request, tensor_parallel=ranks)
            ).total_bytes
        return self._bytes[ranks]


def _fits_of(product: Product, needs: _Needs, headroom: Headroom, most_gpus: int) -> Iterator[Fit]:
    if needs.asked == 1:
        alone = fits(product, needs.of(1), headroom)
        if alone:
            yield from alone
            return
    for size, mode in _modes(product):
        each = product.partition_count(mode.compute)
        room = size - headroom.of(size)
        enough = next((ranks for ranks in needs.ranks(each * most_gpus) if needs.of(ranks) <= room), None)
        if enough is not None:
            yield Fit(product.name, mode, enough, size - needs.of(enough), -(-enough // each))


def _modes(product: Product) -> list[tuple[int, Mode]]:
    """Allowed modes with a partition's bytes, the smallest first, validated ones before their equals."""
    if product.vram_mib is None:
        return []
    sized = [(product.partition_bytes(mode), mode) for mode in product.allowed]
    return sorted(sized, key=lambda pair: (pair[0], pair[1] not in product.validated, pair[1]))
