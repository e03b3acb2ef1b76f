"""GPUSharingPolicies: what each governs at this moment, and which nodes an older one took from it, in its status.

In: policies, labels of managed Nodes, claims that have a place. Out: the policies' statuses, a few seconds late.

    reconciler = PolicyStatusReconciler(client, cluster, clock)
"""
