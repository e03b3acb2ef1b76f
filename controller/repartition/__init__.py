"""Repartitioning: which mode change would help a claim, whether it may run now, and the phases it goes through. Pure.

In: a placement `Snapshot` and a `Demand` that found no place. Out: a `Proposal` (a node's layout before and after),
or the reason why no change is allowed. `phases` is the transition table that the plan reconciler follows.

    >>> from controller.repartition.phases import Event, Phase, step
    >>> step(Phase.PENDING, Event.APPROVED)
    <Phase.DRAINING: 'Draining'>
"""
