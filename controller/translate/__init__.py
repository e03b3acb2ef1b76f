"""Translation between what the API server stores and what the pure rooms decide on: the one place that knows both.

In: Kubernetes' own kinds as structs of `runtime.objects`, ours as models of `api`. Out: frozen values of `placement`,
`sizing` and `binding`, and back. A file a kind.

    >>> from controller.translate.quantity import cpu_milli
    >>> cpu_milli("1500m"), cpu_milli("2")
    (1500, 2000)
"""
