"""From pydantic models to what Kubernetes reads: structural schemas and CustomResourceDefinitions.

In: the model classes of :mod:`api.v1beta1`. Out: dicts, and YAML files by ``python -m api.openapi.crd --out DIR``.

Example::

    from api.openapi.structural_schema import structural_schema
    from api.v1beta1 import GPUNode

    assert structural_schema(GPUNode)["properties"]["spec"]["properties"]["managed"]["default"] is True
"""
