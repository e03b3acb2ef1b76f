"""Rollouts and scale-ins that others run: which pod gives up its partition, and to whom.

In: pods with claims, by the Deployment and revision that made them. Out, where a policy says `rollout: Handover`: one
old-revision pod at a time is evicted for a newest-revision pod that found no partition, its place kept for that one.
And on pods that hold partitions: the annotation by which a ReplicaSet that shrinks takes those first that leave a whole
GPU behind.

    reconciler = HandoverReconciler(client, cluster, cycle, recorder, clock)
"""
