"""Admission webhooks: the API server's questions in, allow, patch or deny out.

`server.py` speaks HTTPS and survives garbage; `admission.py` is the pure translation between an AdmissionReview and
the dataclasses that handlers see.

    >>> from controller.runtime.webhook.admission import AdmissionRequest, AdmissionResponse, allow, deny
    >>> async def handler(request: AdmissionRequest) -> AdmissionResponse:
    ...     return allow() if request.object else deny("give an object")
"""
