"""GPUNodes: one for each Node that a person labelled as managed, owned by it; and labels of the Node from it.

In: Nodes, and what agents reported. Out: GPUNodes, made, switched to unmanaged when the label goes, collected with
their Node; Nodes labelled with products and modes, and tidied when they are not managed any more.

    reconciler = GPUNodeReconciler(client, cluster)
"""
