"""Placement: which partition a claim gets, or why it gets none. Pure.

In: a `Snapshot` (nodes, GPUs, partitions and who holds them) and `Demand`s. Out: `Placed` or `Unplaced`, both
values. Nothing here reads a clock, the API server or the hardware, so a what-if costs nothing and harms nothing.

    >>> from controller.placement.decision import Unplaced
    >>> from controller.placement.demand import Demand, Requirement
    >>> from controller.placement.scheduler import ModelScheduler
    >>> from controller.placement.snapshot import Snapshot
    >>> demand = Demand(key="team-a/aim-x", uid="u1", namespace="team-a", requirement=Requirement(bytes=1 << 30))
    >>> decision = ModelScheduler().schedule(Snapshot(()), demand)
    >>> isinstance(decision, Unplaced) and decision.reason
    'NoManagedNodes'
"""
