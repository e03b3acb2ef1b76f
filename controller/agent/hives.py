"""Which GPUs of a node xGMI links with one another: their hives, numbered from 0 by the lowest address. Pure.

A GPU without a number is linked with no other, or nobody tells. The kernel's compute driver lists links of type 11
(xGMI) between exactly those GPUs that have one hive id (`kfd_create_vcrat_image_gpu` in amdkfd's kfd_crat.c), so the id
tells what a file for each pair of partitions tells, 4000 on a node of 64, without one of them being read.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

Pair = frozenset[str]
"""The addresses of two GPUs."""


def hives_by_id(ids: Mapping[str, int]) -> dict[str, int]:
    """The number of each GPU's hive by address, from the driver's ids of them; 0 is none."""
    members: dict[int, list[str]] = defaultdict(list)
    for bdf in sorted(ids):
        if ids[bdf]:
            members[ids[bdf]].append(bdf)
    return _numbered(members.values())


def hives_by_links(gpus: Iterable[str], linked: Collection[Pair]) -> dict[str, int]:
    """The same from the pairs that xGMI links. A GPU joins those before it only if it is linked with every one."""
    groups: list[list[str]] = []
    for bdf in sorted(gpus):
        joined = next((group for group in groups if all(frozenset({bdf, one}) in linked for one in group)), None)
        if joined is None:
            groups.append([bdf])
        else:
            joined.append(bdf)
    return _numbered(groups)


def _numbered(groups: Iterable[list[str]]) -> dict[str, int]:
    together = sorted(group for group in groups if len(group) > 1)
    return {bdf: number for number, group in enumerate(together) for bdf in group}
