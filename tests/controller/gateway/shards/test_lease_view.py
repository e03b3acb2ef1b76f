from typing import Any

from controller.gateway.shards.lease_view import (
    ADDRESS,
    LEAVING,
    LeaseView,
    Member,
    replica_lease_name,
    shard_lease_name,
)


def lease(
    name: str, holder: str, version: int = 1, *, duration: int = 10, notes: dict[str, str] | None = None
) -> dict[str, Any]:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": duration}
    return {"metadata": {"name": name, "resourceVersion": str(version), "annotations": notes}, "spec": spec}


def replica(holder: str, version: int = 1, address: str = "10.0.0.1:8444", *, leaving: str = "false") -> dict[str, Any]:
    name = replica_lease_name("gateway", holder)
    return lease(name, holder, version, notes={ADDRESS: address, LEAVING: leaving})


def test_a_replica_is_there_as_long_as_its_lease_says_since_it_was_seen_to_change() -> None:
    view = LeaseView("gateway")
    view.see(replica("a"), 100.0)
    view.see(replica("a"), 105.0)  # told again, unchanged
    assert view.members(109.9) == {"a": Member("a", "10.0.0.1", 8444)}
    assert view.members(110.0) == {}
    view.see(replica("a", 2), 111.0)
    assert "a" in view.members(120.9)


def test_addresses_of_both_kinds_are_read_and_others_are_nobodys() -> None:
    view = LeaseView("gateway")
    view.see(replica("six", address="[fd00::1]:8444", leaving="true"), 0.0)
    view.see(replica("none", address=""), 0.0)
    view.see(replica("half", address="10.0.0.1:x"), 0.0)
    assert view.members(1.0) == {"six": Member("six", "fd00::1", 8444, leaving=True)}


def test_who_has_a_shard_and_whose_it_was() -> None:
    view = LeaseView("gateway")
    view.see(lease(shard_lease_name("gateway", 3), "a"), 0.0)
    view.see(lease(shard_lease_name("gateway", 4), "b", duration=5), 0.0)
    view.see(lease(shard_lease_name("gateway", 5), ""), 0.0)
    assert view.holders(4.0) == {3: "a", 4: "b"}
    assert view.holders(6.0) == {3: "a"}
    assert view.last_holders() == {3: "a", 4: "b"}
    assert view.free(shard_lease_name("gateway", 5))
    assert not view.free(shard_lease_name("gateway", 4))


def test_leases_of_another_gateway_are_not_ours() -> None:
    view = LeaseView("gateway")
    view.see(lease(shard_lease_name("other", 3), "x"), 0.0)
    view.see(lease(replica_lease_name("other", "x"), "x", notes={ADDRESS: "10.0.0.9:1"}), 0.0)
    assert view.holders(1.0) == {}
    assert view.members(1.0) == {}
    assert view.shard(shard_lease_name("other", 3)) is None


def test_names_say_what_they_are_of() -> None:
    view = LeaseView("gateway")
    assert view.shard(shard_lease_name("gateway", 7)) == 7
    assert view.shard(replica_lease_name("gateway", "a")) is None


def test_what_is_gone_is_forgotten() -> None:
    view = LeaseView("gateway")
    name = view.see(replica("a"), 0.0)
    assert view.last(name) is not None
    view.forget(name)
    assert view.last(name) is None
    assert view.members(1.0) == {}


def test_only_replicas_that_are_long_gone_are_to_be_removed_at_the_version_that_was_seen() -> None:
    view = LeaseView("gateway")
    view.see(replica("a", 5), 0.0)
    view.see(replica("b", 6), 250.0)
    view.see(lease(shard_lease_name("gateway", 1), "a"), 0.0)
    assert view.long_gone(301.0, 30.0) == [(replica_lease_name("gateway", "a"), "5")]
