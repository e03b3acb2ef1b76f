"""Kubernetes' own kinds as typed, frozen objects: what a controller reads of them, and nothing else.

In: the bytes of an answer or a watch line, decoded in one step (`client.get(..., into=Pod)`). Fields that no struct
names are dropped on the way, which is the projection: 10,000 pods take a tenth of their memory as dicts.
`packed.PackedObject` is for any kind, and keeps everything: all parts but the metadata as JSON, decoded when read.

    >>> from controller.runtime.client.decoding import decode_into
    >>> from controller.runtime.objects.pod import Pod
    >>> pod = decode_into(b'{"metadata":{"namespace":"a","name":"b"},"spec":{"nodeName":"n","volumes":[]}}', Pod)
    >>> pod.kind, pod.metadata.name, pod.spec.node_name, pod.status.phase
    ('Pod', 'b', 'n', '')
"""
