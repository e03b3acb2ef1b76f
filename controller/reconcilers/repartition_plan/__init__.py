"""RepartitionPlans: each step stands in the status before it acts, so a plan resumes after any crash.

In: plans, GPUNodes, who holds what, what the driver or the device plugin advertises. Out: evictions of pods of ours,
the operation in GPUNode.spec that the agent carries out, and the plan's status; only the operator writes it. The phases
are `repartition.phases`; `look` has a step for each, in a file of its own: `approval`, `drain`, `quiesce`, `apply`,
`verify`, `rollback`; `closing` tidies up after every end.

    reconciler = RepartitionPlanReconciler(client, cluster, recorder, clock, operations, plugins=plugins)
"""
