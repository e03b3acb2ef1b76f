"""Conversion between v1alpha1, which is flat, and v1beta1, the hub; nothing is lost either way.

A mapping row says which flat field stands for which place of the hub (``inference_service.py``,
``gpu_sharing_policy.py``). What no row can say goes into one annotation while the object is v1alpha1 (``stash.py``),
and from there back (``restore.py``), as far as the user has not edited what it belongs to. Messages about hub fields
are put in flat words by the same rows (``field_path.py``). Pure.

In: objects of the API server, as dicts, in one of the two versions. Out: new dicts in the version asked for.

>>> from api.conversion import convert
>>> hub = {"apiVersion": "aim.amd.com/v1beta1", "kind": "InferenceService", "metadata": {"name": "chat"},
...        "spec": {"model": {"id": "Qwen/Qwen3-8B"}, "gpuSharing": {"partition": {"minMemory": "24Gi"}}}}
>>> (spoke,) = convert("aim.amd.com/v1alpha1", [hub])
>>> spoke["spec"]["modelId"], spoke["spec"]["memoryGB"], spoke["metadata"]
('Qwen/Qwen3-8B', '24', {'name': 'chat'})
"""

from api.conversion.convert import convert
from api.conversion.errors import ConversionError

__all__ = ["ConversionError", "convert"]
