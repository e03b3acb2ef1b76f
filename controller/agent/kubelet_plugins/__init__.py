"""What a simulated node's kubelet is served with: AMD's DRA driver, or AMD's device plugin, of GPUs that do not exist.

In: calls of the kubelet over gRPC on unix sockets in its own folder, and the node as its agent knows it (``plugin``).
Out: devices for containers, as CDI files (``cdi_folder``) or as an environment (``device_environment``). Real GPUs are
left to AMD's own. gRPC and protobuf are loaded with ``dra_plugin`` and ``device_plugin`` only.

    >>> from controller.agent.kubelet_plugins.device_choice import preferred
    >>> preferred({"a0": "a", "a1": "a", "b0": "b"}, must_include=[], size=1)
    ['b0']
"""
