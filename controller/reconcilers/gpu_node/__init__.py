"""GPUNodes: one for each Node that a person labelled as managed, owned by it.

In: Nodes. Out: GPUNodes, made, switched to unmanaged when the label goes, collected with their Node.

    reconciler = GPUNodeReconciler(client, cluster)
"""
