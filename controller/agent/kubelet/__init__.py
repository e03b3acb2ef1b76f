"""What is said on the kubelet's sockets: the messages of its APIs, made from the published definitions.

`pod_resources`: what it gave to whom. `plugin_registration`, `dra`, `device_plugin`: what a node's plugins are asked.
In and out: bytes of gRPC. Protobuf is loaded with the first import of one of the modules only: agents that neither ask
a kubelet nor serve one do without.
"""
