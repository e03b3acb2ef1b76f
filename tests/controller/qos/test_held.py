from controller.qos.manager import QoSManager
from controller.qos.refusal import NO_ENDPOINT, Refusal
from controller.qos.request import IN_FLIGHT, QUEUED, Request
from controller.qos.settings import Member, ModelSettings, PartitionSettings, QoSClass, QoSSettings


def settings(*, held: bool, ready: bool = False) -> QoSSettings:
    return QoSSettings(
        (QoSClass("standard", 1),),
        {"a/m": ModelSettings("a/m", "standard", held=held)},
        {"p": PartitionSettings("p", (Member("pod", "a/m", 1, ready=ready),))},
    )


class Site:
    def __init__(self, *, held: bool, ready: bool = False) -> None:
        self.refused: list[str] = []
        self.manager = QoSManager(
            settings(held=held, ready=ready),
            0.0,
            on_dispatch=lambda *_: None,
            on_refuse=self.refuse,
            jitter=lambda: 0.5,
        )

    def refuse(self, _: Request, why: Refusal) -> None:
        self.refused.append(why.reason)

    def arrive(self) -> Request:
        request = Request("a/m", "t", "standard", 10, None, 1.0)
        self.manager.arrive(request, 1.0)
        return request


def test_where_no_pod_is_ready_requests_are_refused_unless_they_are_held() -> None:
    refusing, holding = Site(held=False), Site(held=True)
    refusing.arrive()
    request = holding.arrive()
    assert refusing.refused == [NO_ENDPOINT]
    assert (holding.refused, request.state) == ([], QUEUED)
    holding.manager.configure(settings(held=False, ready=True), 2.0)
    assert request.state == IN_FLIGHT


def test_one_that_is_given_back_waits_there_too() -> None:
    site = Site(held=True, ready=True)
    request = site.arrive()
    site.manager.configure(settings(held=True), 2.0)
    site.manager.give_back(request, 3.0, avoid=frozenset())
    assert (site.refused, request.state) == ([], QUEUED)
    site.manager.configure(settings(held=False, ready=True), 4.0)
    assert request.state == IN_FLIGHT
