from controller.placement.packing.host import Ask, Host, admits, places

SHARE = Ask(4000, 1024, 1, 500)


def test_equal_pieces_are_one_place() -> None:
    found = list(places(Host(8000, 2048, (300, 500, 500, 1000)), SHARE))
    assert [place.pieces for place in found] == [(1,), (3,)]


def test_a_place_takes_cpu_memory_and_a_part_of_one_piece() -> None:
    [place] = places(Host(8000, 2048, (300, 700)), SHARE)
    assert place.after == Host(4000, 1024, (200, 300))


def test_a_partition_goes_as_a_whole() -> None:
    [place] = places(Host(8000, 2048, (125, 500), divisible=False), Ask(0, 0, 1, 400))
    assert place.after.pieces == (0, 125)


def test_several_gpus_come_from_one_host_or_not_at_all() -> None:
    several = Ask(1000, 0, 2, 1000)
    assert [place.after.pieces for place in places(Host(8000, 0, (500, 1000, 1000, 1000)), several)] == [
        (0, 0, 500, 1000)
    ]
    assert list(places(Host(8000, 0, (500, 1000)), several)) == []


def test_a_pod_without_gpu_takes_cpu_alone() -> None:
    [place] = places(Host(8000, 2048, (1000,)), Ask(3000))
    assert place == place.__class__((), Host(5000, 2048, (1000,)))


def test_cpu_memory_and_model_are_asked_first() -> None:
    host = Host(8000, 2048, (1000,), "T4")
    assert admits(host, SHARE)
    assert not admits(host, Ask(8001, 0, 1, 500))
    assert not admits(host, Ask(0, 2049, 1, 500))
    assert not admits(host, Ask(0, 0, 1, 500, frozenset({"P100"})))
    assert list(places(host, Ask(0, 2049, 1, 500))) == []


def test_idle_and_whole_gpus_are_counted() -> None:
    host = Host(0, 0, (0, 250, 1000, 1000))
    assert (host.idle, host.whole) == (2250, 2)
