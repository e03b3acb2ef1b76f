"""Binding: a placement decision turned into what the API server is asked to write. Pure.

In: a partition and a pod's facts. Out: the ResourceClaim that pins it, the JSON patch that opens the pod's gate
(`dra`), the extended resource that a pod asks for instead where AMD's device plugin serves (`device_plugin`), and the
engine's share of the partition with an honest name for the isolation (`isolation`).

    >>> from controller.binding.dra import selector
    >>> selector([129], "cpx_nps4").count("&&")
    4
"""
