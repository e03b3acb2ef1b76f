"""Webhooks: what is decided while an object is being written.

In: admission reviews. Out: for a pod, a patch that gates it and names its claim, or a refusal; for services and
policies, a refusal or warnings, by what else there is: catalogue, policies, nodes. Each names field, value and remedy.
Pods that did not opt in never come here, nor do updates that change no spec: matchConditions leave them out.

    request -> facts (read once from the caches) -> checks, each pure -> findings -> one answer

    >>> from controller.webhooks.pod_gate import PodGate
    >>> pod = {"metadata": {"annotations": {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "org/m"}},
    ...        "spec": {"containers": [{"name": "main"}]}}
    >>> outcome = PodGate(name_suffix=lambda: "0123456789").mutate(pod)
    >>> [operation["path"] for operation in outcome][:1]
    ['/spec/schedulingGates']
"""
