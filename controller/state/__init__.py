"""State: informers in, a frozen snapshot out.

`Cluster` owns the informers and joins what they know; `Assumptions` bridge the time between a decision and the moment
the informers show it. Nothing here decides or writes.

    cluster = Cluster(client, clock, system_namespace="aim-gpu-system")
    snapshot = cluster.snapshot()          # one consistent view, no I/O
"""
