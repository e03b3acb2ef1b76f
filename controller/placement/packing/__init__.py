"""Packing: which of the places that fit leaves the most room for what is expected to come. Pure.

In: a `Host` (CPU, memory and free pieces of GPU), what a pod asks of it (`Ask`) and the `Workload` that is expected.
Out: a cost, the lower the better. Who is asked, and what may be placed where, is decided elsewhere: the operator asks
for the partitions of its snapshot, the simulation for whole tables of hosts, and both get the same scorers' answers.

    >>> from controller.placement.packing.host import Ask, Host, places
    >>> from controller.placement.packing.scorers.expected_loss import ExpectedLoss
    >>> from controller.placement.packing.workload import Workload
    >>> small = Ask(cpu_milli=4000, count=1, milli=500)
    >>> scorer = ExpectedLoss.of(Workload.counted([small]), capacity={"": 2000})
    >>> begun, whole = Host(64000, 0, (500,)), Host(64000, 0, (1000,))
    >>> costs = [scorer.cost(host, place.after, small) for host in (begun, whole) for place in places(host, small)]
    >>> costs[0] < costs[1]
    True
"""
