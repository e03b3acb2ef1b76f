"""The store's revisions and the audit log become one history."""

from typing import Any

from tests.chaos.facts import Claim, Held, Kind, Pod, fact
from tests.chaos.history import Audited, History, Injected, Revision, audited, changes


def _pod(version: int, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"uid": "u1", "resourceVersion": str(version), **metadata}, "spec": {}, "status": {}}


def _entry(version: int, user: str = "ann", **more: Any) -> dict[str, Any]:
    return {
        "stage": "ResponseComplete",
        "verb": "create",
        "user": {"username": user},
        "objectRef": {"resource": "pods", "namespace": "team", "name": "p"},
        "responseStatus": {"code": 201},
        "requestReceivedTimestamp": f"2026-01-01T00:00:{version:02}.000000Z",
        "stageTimestamp": f"2026-01-01T00:00:{version:02}.500000Z",
        "responseObject": _pod(version) | {"kind": "Pod"},
    } | more


def _audit(version: int, **more: Any) -> Audited:
    found = audited(_entry(version, **more))
    assert found is not None
    return found


def test_an_entry_tells_who_and_when() -> None:
    found = _audit(7, impersonatedUser={"username": "bob"})
    assert (found.who, found.version, found.key, found.answered - found.received) == ("bob", 7, "team/p", 0.5)
    assert audited(_entry(7) | {"stage": "ResponseStarted"}) is None


def test_an_eviction_is_known_by_its_subresource_and_has_no_version() -> None:
    ref = {"resource": "pods", "subresource": "eviction", "namespace": "team", "name": "p"}
    found = _audit(7, objectRef=ref, responseObject={"kind": "Status", "metadata": {}})
    assert (found.resource, found.version) == ("pods/eviction", 0)


def test_changes_have_what_was_before_and_who_wrote_it() -> None:
    revisions = [
        Revision(3, Kind.POD, "team/p", _pod(3)),
        Revision(5, Kind.POD, "team/p", _pod(5, deletionTimestamp="now")),
        Revision(6, Kind.POD, "team/p", None),
    ]
    first, second, third = changes(revisions, [_audit(3), _audit(5, user="cy")], 0.0, 9e9)
    assert (first.before, first.after, first.who) == (None, Pod("u1"), "ann")
    assert (second.before, second.after, second.who) == (Pod("u1"), Pod("u1", deleting=True), "cy")
    assert (third.before, third.after, third.who) == (Pod("u1", deleting=True), None, "")


def test_what_was_never_audited_happened_between_its_neighbours() -> None:
    revisions = [Revision(number, Kind.POD, "team/p", _pod(number)) for number in (1, 2, 3)]
    _, second, _ = changes(revisions, [_audit(1), _audit(3)], 0.0, 9e9)
    assert (second.who, second.begun, second.done) == ("", _audit(1).received, _audit(3).answered)


def test_a_write_that_changed_nothing_does_not_take_the_credit() -> None:
    log = [_audit(4), _audit(4, user="late")]
    (only,) = changes([Revision(4, Kind.POD, "team/p", _pod(4))], log, 0.0, 9e9)
    assert only.who == "ann"


def test_what_was_seen_is_older_after_a_fault() -> None:
    faults = (
        Injected("stop", frozenset({"operator-0"}), 100.0, 110.0),
        Injected("kill", frozenset({"etcd"}), 92.0, 96.0),
    )
    history = History(faults=faults)
    assert history.seen_since(50.0) == 45.0
    assert (
        history.seen_since(112.0) == 87.0
    )  # what was stopped at 100 saw what was 5 s old, and another fault before it
    assert history.disturbed(111.0, 112.0, "stop")
    assert not history.disturbed(111.0, 112.0, targets=("etcd",))


def test_a_claim_holds_only_while_it_is_bound_and_stays() -> None:
    device = {"bdf": "0000:05:00.0", "partition": 1, "mode": "DPX/NPS1", "device": "gpu-1", "bytes": 8}
    obj: dict[str, Any] = {
        "metadata": {"uid": "c"},
        "spec": {"podRef": {"uid": "u1"}},
        "status": {
            "phase": "Bound",
            "allocation": {"node": "a", "devices": [device]},
            "shares": [{"bytes": 3}, {"bytes": 4}],
        },
    }
    held = Held(("a", "0000:05:00.0", 1), "DPX/NPS1", "gpu-1")
    assert fact(Kind.CLAIM, obj) == Claim("c", "Bound", (held,), "u1", shares=7, whole=8)
    obj["metadata"]["deletionTimestamp"] = "now"
    found = fact(Kind.CLAIM, obj)
    assert isinstance(found, Claim)
    assert not found.held
