"""What the kubelet says on its sockets: the messages of its PodResources API, made from the published definition.

In: bytes from the kubelet. Out: messages, read by ``controller.agent.pod_resources``. Protobuf is loaded with the first
import of ``pod_resources_pb2`` only: agents that ask no kubelet do without.
"""
