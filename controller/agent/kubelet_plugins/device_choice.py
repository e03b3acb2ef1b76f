"""Which of the free devices a container had best get: few GPUs, and those that are broken into already. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping


def preferred(gpu_of: Mapping[str, str], must_include: Collection[str], size: int) -> list[str]:
    """`size` of the devices that `gpu_of` names with their GPUs, among them `must_include`; fewer when there are fewer.

    First the GPUs of `must_include`, then the smallest rest of a GPU that is enough, then the largest ones.
    """
    chosen = [device for device in must_include if device in gpu_of][:size]
    free = [device for device in sorted(gpu_of) if device not in chosen]
    started = [device for device in free if gpu_of[device] in {gpu_of[one] for one in chosen}]
    chosen += started[: size - len(chosen)]
    rest = [device for device in free if device not in chosen]
    while rest and len(chosen) < size:
        gpu = _next_gpu(Counter(gpu_of[device] for device in rest).items(), size - len(chosen))
        chosen += [device for device in rest if gpu_of[device] == gpu][: size - len(chosen)]
        rest = [device for device in rest if gpu_of[device] != gpu]
    return chosen


def _next_gpu(counts: Iterable[tuple[str, int]], wanted: int) -> str:
    """The smallest that is enough, else the largest; of equals the first by name."""
    enough = [(count, gpu) for gpu, count in counts if count >= wanted]
    return min(enough)[1] if enough else min((-count, gpu) for gpu, count in counts)[1]
