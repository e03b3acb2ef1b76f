"""The flow of a pod: admitted, placed, bound, confirmed by the real scheduler, released.

In: pods with our gate. Out: a GPUPartitionClaim each, a pinned ResourceClaim, one patch that opens the gate.

    Pending --cycle decides--> Bound --scheduler allocates--> Allocated --pod ends--> Released or deleted
                                 |  ^
                                 +--+ device taken by somebody else: another pin on the same node

    cycle = PlacementCycle(cluster, ModelScheduler(), clock, enqueue)
"""
