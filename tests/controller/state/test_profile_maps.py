"""What is known of ConfigMaps whose contents no informer shows."""

import pytest

from controller.state.profile_maps import ProfileMaps, Refused
from tests.builders.cluster import FedCluster

KEY = "team-a/files"


class Known:
    """A ConfigMap that was written as `version`; `see` lets the informer show one."""

    def __init__(self, version: str) -> None:
        self.fed = FedCluster()
        self.maps: ProfileMaps = self.fed.cluster.written_maps
        self.told: list[str] = []
        self.maps.on_change(self.told.append)
        self.maps.wrote(KEY, version, ["a.yaml"], ["uid"])

    def see(self, version: str) -> None:
        metadata = {"namespace": "team-a", "name": "files", "uid": "u", "resourceVersion": version}
        self.fed.listed(self.fed.cluster.profile_maps, {"metadata": metadata})


@pytest.mark.parametrize(
    ("version", "want"), [pytest.param("7", True, id="as written"), pytest.param("8", False, id="changed since")]
)
def test_files_are_there_as_long_as_the_version_is_the_one_that_was_written(version: str, want: bool) -> None:
    known = Known("7")
    assert not known.maps.has(KEY, None), "not shown yet"
    known.see(version)
    assert (known.maps.has(KEY, None), known.maps.has(KEY, "a.yaml")) == (want, want)
    assert not known.maps.has(KEY, "b.yaml")


def test_a_refusal_stands_until_it_is_written_both_are_told_and_files_of_before_stay() -> None:
    known = Known("7")
    known.see("7")
    known.maps.refuse(KEY, Refused("NameTaken", "no"))
    assert (known.maps.refusal(KEY), known.maps.has(KEY, "a.yaml")) == (Refused("NameTaken", "no"), True)
    known.maps.wrote(KEY, "7", ["a.yaml"], ["uid"])
    assert (known.maps.refusal(KEY), known.maps.has(KEY, None)) == (None, True)
    assert known.told == [KEY, KEY, KEY]


def test_what_is_forgotten_is_not_known() -> None:
    known = Known("7")
    known.see("7")
    known.maps.forget(KEY)
    assert not known.maps.has(KEY, None)
