"""What engines say of themselves, told by service: of those services whose requests come by no gateway.

In: pods that bear the engines' label, EndpointSlices, and each engine's page of metrics. Out: the families
`aim_model_*` of services, as the gateway tells them of the requests that it passes on. It needs no right but to see
pods and slices, and asks nobody but pods that take part, at their own addresses.

::

    objects    what is decoded of each kind, and no more    targets           whom to ask, as whose
    watching   informers, and what changed                  gateway_presence  who else tells of requests; pure
    reading    pages, again and again, within limits        vocabulary        what engines call things; pure
    figures    a page in our words and buckets; pure        totals            sums that never fall; pure
    service_metrics   totals as families

    >>> from controller.exporter.engines.figures import figures_of
    >>> from controller.exporter.engines.service_metrics import EDGES
    >>> page = 'vllm:request_success_total{finished_reason="stop"} 3\\nvllm:generation_tokens_total 120'
    >>> found = figures_of(page, EDGES)
    >>> found.requests, found.tokens
    ({'200': 3}, {'output': 120})
"""
