"""The wire types of the API group ``aim.amd.com``: what users write and what the operator reports.

In: the JSON objects of the API server, as dicts. Out: frozen pydantic models with snake_case fields and
camelCase aliases, and the CRDs generated from them. The room imports nothing else of this project, does no
I/O and reads no clock, so that another program can use it alone.

Example::

    from api.object import dump
    from api.v1beta1 import InferenceService

    service = InferenceService.model_validate(
        {"metadata": {"name": "chat", "namespace": "team-a"}, "spec": {"model": {"id": "Qwen/Qwen3-8B"}}}
    )
    assert service.spec.gpu_sharing.partition.count == 1
    assert dump(service)["spec"]["model"]["id"] == "Qwen/Qwen3-8B"
"""
