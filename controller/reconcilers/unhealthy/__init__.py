"""Claims whose partition broke, or whose node is silent: told, and moved where a policy says `onUnhealthy: Replace`.

In: what agents reported, Nodes, heartbeats, policies. Out: the condition Healthy of claims, Events, entries in
GPUNode.spec.quarantine, places kept for successors in GPUNode.spec.reservations, evictions.

    reconciler = UnhealthyReconciler(client, cluster, recorder, clock)
"""
