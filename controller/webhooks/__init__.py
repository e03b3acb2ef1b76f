"""Webhooks: what is decided while a pod is being created.

In: admission reviews. Out: a patch that gates the pod and names its claim, or a refusal that names field, value and
remedy. Pods that did not opt in never come here: the webhook's matchCondition leaves them out.

    >>> from controller.webhooks.pod_gate import PodGate
    >>> pod = {"metadata": {"annotations": {"aim.amd.com/gpu-sharing": "true", "aim.amd.com/model-id": "org/m"}},
    ...        "spec": {"containers": [{"name": "main"}]}}
    >>> outcome = PodGate(name_suffix=lambda: "0123456789").mutate(pod)
    >>> [operation["path"] for operation in outcome][:1]
    ['/spec/schedulingGates']
"""
