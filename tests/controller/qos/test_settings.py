from dataclasses import replace
from math import inf, nan

import pytest

from controller.qos.manager import QoSManager
from controller.qos.settings import (
    LimitSettings,
    Member,
    ModelSettings,
    PartitionSettings,
    QoSClass,
    QoSSettings,
    TenantSettings,
)
from tests.controller.qos.ledger import Ledger
from tests.controller.qos.simulation import CLASSES, partition

GOOD = partition(4, ModelSettings("a", "standard", minimum=2, maximum=3))


def with_model(**changed: object) -> QoSSettings:
    return replace(GOOD, models={"a": replace(GOOD.models["a"], **changed)})  # type: ignore[arg-type]


def with_members(*members: Member, seats: int | None = None) -> QoSSettings:
    return replace(GOOD, partitions={"p": PartitionSettings("p", members, seats)})


BAD = [
    pytest.param(replace(GOOD, classes=()), "classes is empty: give at least one", id="no classes"),
    pytest.param(
        replace(GOOD, classes=(*CLASSES, QoSClass("batch", 9))),
        "classes: 'batch' is there twice: remove one of the two",
        id="a class twice",
    ),
    pytest.param(
        replace(GOOD, classes=(QoSClass("standard", 0, 0),)), "classes[standard].weight 0: give 1 or more", id="a class without weight"
    ),
    pytest.param(
        replace(GOOD, classes=(QoSClass("standard", 0, 1, 0.0),)),
        "classes[standard].starvation_after 0.0: give more than 0 seconds",
        id="everything starves",
    ),
    pytest.param(
        replace(GOOD, starvation_every=1),
        "starvation_every 1: give 2 or more, or starving requests are all there is",
        id="only promotions",
    ),
    pytest.param(replace(GOOD, output_weight=nan), "output_weight nan: give 0 or more", id="a weight that is none"),
    pytest.param(
        replace(GOOD, limit=LimitSettings(tolerance=0.5)), "limit.tolerance 0.5: give 1 or more", id="less than usual is late"
    ),
    pytest.param(
        replace(GOOD, limit=LimitSettings(smoothing=0)), "limit.smoothing 0: give one above 0 and up to 1", id="no step at all"
    ),
    pytest.param(
        replace(GOOD, limit=LimitSettings(overload_factor=1)),
        "limit.overload_factor 1: give one between 0 and 1",
        id="overloads lower nothing",
    ),
    pytest.param(with_model(model="b"), "models[a].model 'b': give 'a', the key it stands under", id="another key"),
    pytest.param(
        with_model(qos_class="gold"), "models[a].qos_class 'gold': give one of batch, realtime, standard", id="no such class"
    ),
    pytest.param(with_model(minimum=-1), "models[a].minimum -1: give 0 or more", id="less than nothing"),
    pytest.param(with_model(headroom=3), "models[a].headroom 3: give 0 to the minimum, 2", id="more headroom than minimum"),
    pytest.param(
        with_model(maximum=1), "models[a].maximum 1: give at least 1 and the minimum, 2", id="maximum below the minimum"
    ),
    pytest.param(with_model(minimum=0, maximum=0), "models[a].maximum 0: give at least 1 and the minimum, 0", id="none at all"),
    pytest.param(
        with_model(max_rate=inf), "models[a].max_rate inf: give more than 0 requests a second, or none", id="an endless rate"
    ),
    pytest.param(with_model(queue_length=-1), "models[a].queue_length -1: give 0 or more", id="a queue of less than none"),
    pytest.param(
        with_model(queue_timeout=0),
        "models[a].queue_timeout 0: give more than 0 seconds; to let none wait, queue_length 0",
        id="no time to wait",
    ),
    pytest.param(with_model(weight=0), "models[a].weight 0: give 1 or more", id="a model without weight"),
    pytest.param(with_model(output_tokens=-1), "models[a].output_tokens -1: give 0 or more", id="fewer tokens than none"),
    pytest.param(
        replace(GOOD, tenants={"t": TenantSettings(weight=0)}), "tenants[t].weight 0: give 1 or more", id="a tenant without weight"
    ),
    pytest.param(
        replace(GOOD, tenants={"t": TenantSettings(max_rate=0)}),
        "tenants[t].max_rate 0: give more than 0 requests a second, or none",
        id="a tenant that may send nothing",
    ),
    pytest.param(
        with_members(Member("x", "a", 1), Member("x", "a", 1)),
        "partitions[p]: 'x' is also at p: keep one of the two",
        id="a pod twice",
    ),
    pytest.param(
        with_members(Member("x", "b", 1)),
        "partitions[p]: 'x' serves 'b', which has no settings: add them",
        id="a pod of nobody's",
    ),
    pytest.param(with_members(Member("x", "a", 0)), "partitions[p]: 'x' has 0 seats: give 1 or more", id="a pod without seats"),
    pytest.param(with_members(seats=0), "partitions[p].seats 0: give 1 or more, or none", id="a partition without seats"),
    pytest.param(
        replace(GOOD, partitions={"p": PartitionSettings("q")}),
        "partitions[p].partition 'q': give 'p', the key it stands under",
        id="a partition under another key",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "want"), BAD)
def test_what_is_wrong_is_named_with_its_value_and_a_remedy(settings: QoSSettings, want: str) -> None:
    assert want in settings.validated()


def test_what_is_right_is_accepted() -> None:
    assert GOOD.validated() == []


def test_wrong_settings_are_refused_and_the_old_ones_stay() -> None:
    ledger = Ledger(GOOD)
    ledger.arrive("a")
    with pytest.raises(ValueError, match="maximum 1: give at least 1 and the minimum, 2"):
        ledger.manager.configure(with_model(maximum=1), 0.0)
    ledger.arrive("a")
    assert ledger.manager.statistics().models["a"].in_flight == 2
    with pytest.raises(ValueError, match="classes is empty"):
        QoSManager(QoSSettings(()), 0.0, on_dispatch=lambda *_: None, on_refuse=lambda *_: None, jitter=lambda: 0.0)
