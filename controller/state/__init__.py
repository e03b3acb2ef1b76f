"""State: informers in, a frozen snapshot out.

`Cluster` owns the informers and joins what they know; `Assumptions` bridge the time between a decision and the moment
the informers show it. Nothing here decides or writes.

Out as well: rows of gauges (`*_gauges.py`), kept up object by object, for the process' metrics.

    cluster = Cluster(client, clock, system_namespace="aim-gpu-system")
    snapshot = cluster.snapshot()          # one consistent view, no I/O
"""
