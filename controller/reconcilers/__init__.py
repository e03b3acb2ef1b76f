"""Reconcilers: a folder a kind, a file a step. They read, freeze, decide, act, in that order.

In: a `Request` naming an object. Out: writes to the API server, each carrying the version its decision saw, and
Events. Every reconcile is safe to repeat: killed after any write, the next run goes on from what is stored.

    reconciler = ClaimReconciler(context)
    controller = Controller("gpupartitionclaim", reconciler.reconcile, workers=16, clock=clock)
"""
