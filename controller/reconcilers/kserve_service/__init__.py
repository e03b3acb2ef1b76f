"""KServe's InferenceServices that take part: one condition on their status says whether their pods hold partitions.

In: annotated InferenceServices of KServe's, whoever made them, their pods and claims. Out: the condition
`GPUPartitionAllocated` of severity Info, which KServe keeps and does not count, and Events about annotations that
cannot be used. Nothing else is ever written there: no finalizer, annotation, label or spec, and no other field of the
status, because KServe would lose it, roll the pods or keep them running after a deletion.

    reconciler = KServeServiceReconciler(client, cluster, recorder, clock)
"""
