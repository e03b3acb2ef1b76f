import pytest

from controller.gpu.identity import PartitionId, bdf_of, function_of, partition_index_of


@pytest.mark.parametrize(
    ("domain", "location_id", "want_bdf", "want_index"),
    [
        pytest.param(0, 1280, "0000:05:00.0", 0, id="first partition"),
        pytest.param(0, 1287, "0000:05:00.0", 7, id="the function is the partition and is masked"),
        pytest.param(1, 51459, "0001:c9:00.0", 3, id="second domain, lower-case hex"),
        pytest.param(0, 0x03F8, "0000:03:1f.0", 0, id="device number"),
        pytest.param(0, 0x50000500, "0000:05:00.0", 5, id="index in the top bits"),
    ],
)
def test_a_location_tells_gpu_and_partition(domain: int, location_id: int, want_bdf: str, want_index: int) -> None:
    assert bdf_of(domain, location_id) == want_bdf
    assert partition_index_of(location_id) == want_index


def test_the_function_is_the_low_three_bits() -> None:
    assert [function_of(0x500 + index) for index in range(9)] == [0, 1, 2, 3, 4, 5, 6, 7, 0]


def test_partitions_sort_by_gpu_then_index() -> None:
    ids = [PartitionId("0000:27:00.0", 0), PartitionId("0000:05:00.0", 7), PartitionId("0000:05:00.0", 1)]
    assert [str(partition) for partition in sorted(ids)] == ["0000:05:00.0/1", "0000:05:00.0/7", "0000:27:00.0/0"]
