from itertools import combinations
from pathlib import Path

import pytest

from controller.agent.hives import hives_by_id, hives_by_links
from controller.agent.sysfs import read_topology
from tests.builders.kfd_recording import links, unpack

XGMI = 11


def pairs(*groups: str) -> set[frozenset[str]]:
    return {frozenset(pair) for group in groups for pair in combinations(group, 2)}


def test_gpus_of_one_id_are_a_hive_and_one_alone_or_without_an_id_is_in_none() -> None:
    assert hives_by_id({"a": 7, "b": 9, "c": 7, "d": 9}) == {"a": 0, "c": 0, "b": 1, "d": 1}
    assert hives_by_id({"a": 0, "b": 0, "c": 7}) == {}


def test_gpus_that_are_all_linked_with_one_another_are_a_hive() -> None:
    assert hives_by_links("abcd", pairs("abcd")) == dict.fromkeys("abcd", 0)
    assert hives_by_links("abcd", pairs("ac", "bd")) == {"a": 0, "c": 0, "b": 1, "d": 1}
    assert hives_by_links("ab", set()) == {}


def test_a_link_that_nobody_told_is_not_made_up_from_two_others() -> None:
    assert hives_by_links("abc", pairs("ab", "bc")) == {"a": 0, "b": 0}


@pytest.mark.parametrize("archive", ["topo-mi300-cpx.tar.gz", "topo-mi210-xgmi-pcie.tar.gz"])
def test_the_drivers_id_tells_what_every_link_of_a_recorded_host_tells(archive: str, tmp_path: Path) -> None:
    gpus = read_topology(unpack(archive, tmp_path)).gpus
    gpu_of = {part.node: gpu for gpu in gpus for part in gpu.partitions}
    linked = {
        frozenset({gpu_of[one].bdf, gpu_of[other].bdf})
        for one, other, kind in links(archive)
        if kind == XGMI and gpu_of[one] is not gpu_of[other]
    }
    by_links = hives_by_links((gpu.bdf for gpu in gpus), linked)
    assert by_links == {gpu.bdf: gpu.hive for gpu in gpus}
    assert set(by_links.values()) == ({0} if "mi300" in archive else {0, 1})
