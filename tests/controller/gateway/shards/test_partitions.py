from collections import Counter

from controller.gateway.shards.partitions import SHARDS, occupied_by, shard_of


def test_a_partition_keeps_its_shard_in_every_version() -> None:
    # Replicas of two versions run side by side during an update: another hash would have both dispatch.
    assert [shard_of(f"node-{number}/0000:05:00.0/0") for number in range(6)] == [9, 13, 15, 1, 4, 1]


def test_partitions_spread_over_all_shards() -> None:
    found = Counter(
        shard_of(f"node-{node}/0000:{bus:02x}:00.0/{part}")
        for node in range(8)
        for bus in range(8)
        for part in range(8)
    )
    assert set(found) == set(range(SHARDS))
    assert max(found.values()) < 2 * 512 / SHARDS


def test_shards_without_partitions_are_told_apart() -> None:
    assert occupied_by(["node-0/0000:05:00.0/0", "node-1/0000:05:00.0/0"]) == {9, 13}
