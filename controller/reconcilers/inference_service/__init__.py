"""InferenceServices: a backend for each, and a status that says where every pod is and why not.

In: InferenceServices, what their backends made, claims and pods. Out: where KServe is an InferenceService of KServe's,
elsewhere a Deployment and a Service, whose pods opt in by annotation, so that every entry takes one path; and the
service's conditions, sizing and placements.

    reconciler = InferenceServiceReconciler(context)
"""
