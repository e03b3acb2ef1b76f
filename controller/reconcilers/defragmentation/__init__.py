"""Proposals to bring scattered models together, where a policy says `defragmentation.enabled`.

In: one snapshot every minute, the claims that wait, the pods that may be moved. Out: at most one RepartitionPlan a
policy at a time, with its gain, which waits for a person's approval; from there on it is a plan like any other.

    reconciler = DefragmentationReconciler(client, cluster, cycle, recorder, clock)
"""
