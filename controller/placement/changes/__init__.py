"""Single changes to the cluster or to a claim that could give a waiting claim its place. Pure.

In: a node that refuses a demand, and the reason. Out: `Change`s, each with its kind, its cost and the function that
makes it, so that whoever offers one can try it first. `table` says which changes can mend which reason.

    >>> from controller.placement.changes.change import RANKS, Kind
    >>> RANKS[Kind.WAIT_FOR_PLAN] < RANKS[Kind.EVICTION]
    True
"""
