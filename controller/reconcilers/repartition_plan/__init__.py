"""RepartitionPlans: each step stands in the status before it acts, so a plan resumes after any crash.

In: plans, GPUNodes, who holds what, the slices that the driver advertises. Out: the operation in GPUNode.spec that the
agent carries out, and the plan's status; only the operator writes it. The phases are `repartition.phases`.

    reconciler = RepartitionPlanReconciler(client, cluster, recorder, clock, operations, plugins=plugins)
"""
