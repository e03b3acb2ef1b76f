"""Quality of service: which request gets the next free seat of a partition. Pure.

In: requests as they arrive, complete, are given back and cancelled, each call with the time. Out: calls of
`on_dispatch` and `on_refuse`. Nothing here reads a clock or does I/O, so a day of traffic is tried in seconds.

    >>> from controller.qos.manager import QoSManager
    >>> from controller.qos.request import Request
    >>> from controller.qos.settings import Member, ModelSettings, PartitionSettings, QoSClass, QoSSettings
    >>> settings = QoSSettings(
    ...     classes=(QoSClass("standard", rank=1),),
    ...     models={"team-a/aim-x": ModelSettings("team-a/aim-x", "standard")},
    ...     partitions={"node-0/0000:05:00.0/0": PartitionSettings("node-0/0000:05:00.0/0", (
    ...         Member("pod-1", "team-a/aim-x", seats=1),))},
    ... )
    >>> def sent(request, member): print("sent to", member.endpoint)
    >>> def refused(request, refusal): print("refused:", refusal.reason)
    >>> manager = QoSManager(settings, 0.0, on_dispatch=sent, on_refuse=refused, jitter=lambda: 0.5)
    >>> first = Request("team-a/aim-x", "team-a", "standard", 200, 100, arrived=0.0)
    >>> second = Request("team-a/aim-x", "team-a", "standard", 200, 100, arrived=0.1)
    >>> manager.arrive(first, 0.0)
    sent to pod-1
    >>> manager.arrive(second, 0.1)
    >>> manager.complete(first, 2.0)
    sent to pod-1
"""
