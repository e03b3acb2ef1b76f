"""InferenceServices: a Deployment and a Service each, and a status that says where every pod is and why not.

In: InferenceServices, their Deployments, claims and pods. Out: a Deployment whose pods opt in by annotation, so that
both entries take one path, and the service's conditions, sizing and placements.

    reconciler = InferenceServiceReconciler(context)
"""
