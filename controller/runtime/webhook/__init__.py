"""Webhooks: the API server's questions in, allow, patch, deny or converted objects out.

`server.py` speaks HTTPS and survives garbage; `admission.py` and `conversion.py` are the pure translations between
reviews and what handlers see; `endpoint.py` is what lies between.

    >>> from controller.runtime.manifest import Manifest
    >>> from controller.runtime.webhook.admission import AdmissionRequest, AdmissionResponse, allow, deny
    >>> async def admit(request: AdmissionRequest) -> AdmissionResponse:
    ...     return allow() if request.object else deny("give an object")
    >>> def to_any_version(desired_api_version: str, objects: list[Manifest]) -> list[Manifest]:
    ...     return [{**obj, "apiVersion": desired_api_version} for obj in objects]
"""
