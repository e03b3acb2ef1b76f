"""Several replicas of the gateway, and still one dispatcher a partition.

Partitions belong to 16 fixed shards, and a Lease says which replica has a shard; the others forward to it.

::

    partitions   partition -> shard; pure           coordinator   this replica among the others
    lease_view   what the Leases say; pure          keeper        one shard here: candidacy, fence, residents
    assignment   who is to have which; pure         shard_lease   a shard's Lease, with what is in flight in it
    handover     where a shard stands; pure         settling      asks replicas and engines whose seats are used
    residents    seats that others use; pure        ownership     what the gateway asks of all this
    shares       our part of settings; pure         replica       it all, wired; peer_tls: how replicas trust
    destinations who orders the next one; pure      collector     its metrics

No two dispatch one partition at once, whatever their clocks show: a holder counts from before it sent a renewal and
for less time, the others from when they saw it and for more; and the holder looks at the clock right before it sends.

    >>> from controller.gateway.shards.assignment import assign
    >>> from controller.gateway.shards.partitions import occupied_by, shard_of
    >>> shard_of("node-a/0000:05:00.0/3")
    10
    >>> both = assign({"a", "b"}, {shard: "a" for shard in range(16)}, occupied_by(["node-a/0000:05:00.0/3"]))
    >>> sorted(both.values()).count("a")
    8
"""
