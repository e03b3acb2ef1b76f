from hypothesis import given, settings
from hypothesis.strategies import DataObject, data, integers, none

from controller.gateway.shards.shares import apportion, bounded_seats, narrow
from controller.qos.manager import QoSManager
from controller.qos.settings import Member, ModelSettings, PartitionSettings, QoSClass, QoSSettings, TenantSettings

STANDARD = (QoSClass("standard", 1),)


def whole(minimum: int = 4, maximum: int | None = None, **more: object) -> QoSSettings:
    """A model on three partitions of 8 seats, another on the third alone."""
    models = {
        "a/m": ModelSettings("a/m", "standard", minimum=minimum, maximum=maximum, max_rate=12.0, queue_length=90),
        "a/n": ModelSettings("a/n", "standard", max_rate=5.0),
    }
    partitions = {
        "p0": PartitionSettings("p0", (Member("u0", "a/m", 8),)),
        "p1": PartitionSettings("p1", (Member("u1", "a/m", 8),)),
        "p2": PartitionSettings("p2", (Member("u2", "a/m", 8), Member("u3", "a/n", 8))),
    }
    return QoSSettings(STANDARD, models, partitions, **more)  # type: ignore[arg-type]


def free(_partition: str, _endpoint: str, _seats: int) -> int:
    return 0


def test_who_has_everything_is_told_everything() -> None:
    assert narrow(whole(), lambda _: True, free) == whole()


def test_part_of_the_partitions_is_that_part_of_what_the_model_may_do() -> None:
    found = narrow(whole(), {"p0"}.__contains__, free)
    model = found.models["a/m"]
    assert set(found.partitions) == {"p0"}
    assert (model.minimum, model.max_rate, model.queue_length) == (2, 4.0, 30)


def test_a_model_that_is_nowhere_here_is_still_known() -> None:
    found = narrow(whole(), {"p0"}.__contains__, free)
    assert found.models["a/n"].queue_length == 1
    assert found.validated() == []


def test_room_in_all_replicas_queues_together_is_the_whole_queue() -> None:
    """Where a model has no pod at a replica nothing may wait: what comes there is refused, or handed on."""
    parts = [narrow(whole(), has.__contains__, free) for has in ({"p0", "p1"}, {"p2"}, set[str]())]
    rooms = [
        {key: model.room for key, model in manager(part).statistics().models.items()} for part in (whole(), *parts)
    ]
    assert rooms == [
        {"a/m": 90, "a/n": 1000},
        {"a/m": 60, "a/n": 0},
        {"a/m": 30, "a/n": 1000},
        {"a/m": 0, "a/n": 0},
    ]


def test_where_requests_wait_for_seats_that_others_use_there_is_room() -> None:
    held = narrow(whole(), {"p0"}.__contains__, lambda _, _endpoint, seats: seats)
    assert {key: model.room for key, model in manager(held).statistics().models.items()} == {"a/m": 30, "a/n": 0}


def manager(settings: QoSSettings) -> QoSManager:
    return QoSManager(settings, 0.0, on_dispatch=lambda *_: None, on_refuse=lambda *_: None, jitter=lambda: 0.5)


def test_a_maximum_is_taken_off_the_seats_wherever_they_are() -> None:
    found = narrow(whole(minimum=1, maximum=7), lambda _: True, free)
    assert [one.seats for part in found.partitions.values() for one in part.members] == [3, 2, 2, 8]


def test_seats_that_others_still_use_are_not_ours() -> None:
    found = narrow(whole(), lambda _: True, lambda _, endpoint, seats: {"u0": 3, "u1": seats}.get(endpoint, 0))
    members = {one.endpoint: one for part in found.partitions.values() for one in part.members}
    assert (members["u0"].seats, members["u0"].ready) == (5, True)
    assert not members["u1"].ready
    assert not found.models["a/m"].held
    assert found.validated() == []


def test_where_others_use_every_seat_requests_wait_for_them() -> None:
    found = narrow(whole(), {"p0", "p2"}.__contains__, lambda _, endpoint, seats: 0 if endpoint == "u3" else seats)
    assert found.models["a/m"].held
    assert not found.models["a/n"].held
    nowhere = narrow(whole(), {"p1"}.__contains__, free)
    assert not nowhere.models["a/n"].held


def test_a_partitions_own_bound_loses_them_too() -> None:
    settings = QoSSettings(
        STANDARD,
        {"a/m": ModelSettings("a/m", "standard")},
        {"p": PartitionSettings("p", (Member("u", "a/m", 8), Member("v", "a/m", 8)), seats=10)},
    )
    some = narrow(settings, lambda _: True, lambda _, endpoint, seats: 3 if endpoint == "u" else 0)
    assert some.partitions["p"].seats == 7
    everything = narrow(settings, lambda _: True, lambda _, endpoint, seats: 5)
    assert not any(one.ready for one in everything.partitions["p"].members)
    assert everything.validated() == []


def test_a_tenants_rate_is_split_by_all_seats() -> None:
    settings = whole(tenants={"t": TenantSettings(max_rate=8.0), "u": TenantSettings(weight=3)})
    assert narrow(settings, {"p2"}.__contains__, free).tenants == {
        "t": TenantSettings(max_rate=4.0),
        "u": TenantSettings(weight=3),
    }


def test_parts_are_the_same_in_whatever_order_the_configuration_is() -> None:
    assert apportion(4, {"b": 1, "a": 1, "c": 1}) == apportion(4, {"c": 1, "b": 1, "a": 1}) == {"a": 2, "b": 1, "c": 1}


@given(data())
@settings(deadline=None)
def test_the_parts_of_all_replicas_are_never_more_than_the_whole(data: DataObject) -> None:
    count = data.draw(integers(1, 6), label="partitions")
    owners = [data.draw(integers(0, 2), label=f"owner of p{number}") for number in range(count)]
    maximum = data.draw(none() | integers(4, 40))
    partitions = {
        f"p{number}": PartitionSettings(
            f"p{number}", (Member(f"u{number}", "a/m", data.draw(integers(1, 9)), data.draw(integers(0, 5)) > 0),)
        )
        for number in range(count)
    }
    model = ModelSettings("a/m", "standard", minimum=data.draw(integers(0, 4)), maximum=maximum, max_rate=6.0)
    settings = QoSSettings(STANDARD, {"a/m": model}, partitions)
    parts = [
        narrow(settings, lambda key, own=own: owners[int(key[1:])] == own, free)  # type: ignore[misc]
        for own in range(3)
    ]
    assert all(part.validated() == [] for part in parts)
    assert sorted(key for part in parts for key in part.partitions) == sorted(partitions)
    seats = [one.seats for part in parts for at in part.partitions.values() for one in at.members if one.ready]
    assert maximum is None or sum(seats) <= maximum
    # A replica with none of the Ready pods sends nothing anywhere, whatever it was told.
    sending = [
        part.models["a/m"] for part in parts if any(one.ready for at in part.partitions.values() for one in at.members)
    ]
    assert sum(one.minimum for one in sending) <= model.minimum
    if maximum is None and sending:
        assert sum(one.minimum for one in sending) == model.minimum
        assert sum(one.max_rate or 0 for one in sending) < 6.0001


def test_a_draining_pod_keeps_its_part_of_the_maximum() -> None:
    models = {"a/m": ModelSettings("a/m", "standard", maximum=8)}
    assert bounded_seats(models, [Member("u", "a/m", 8), Member("v", "a/m", 8, ready=False)]) == {"u": 4, "v": 4}
