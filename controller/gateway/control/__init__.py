"""What the gateway works by, kept current: informers in, a `GatewayConfiguration` out, and counts of objectives back.

In: InferenceServices, EndpointSlices, pods, GPUPartitionClaims, policies and namespaces of the API server, and the
Secrets that hold digests of keys. Out: a new configuration whenever one of them means another one, and for each
service a minute's counts of its objectives.

::

    objects    what is decoded of each kind, and no more     members    who is an engine of which service; pure
    keys       digests of API keys; pure                     rules      policies: classes and callers; pure
    services   what services say of their requests; pure     routing    all that into routes; pure
    watching   informers, and what changed                   callers    who shows a key or token
    key_secrets   the Secrets with keys

Whatever a user of a namespace writes counts in that namespace only:

    >>> from controller.gateway.control.members import Rejected
    >>> Rejected("OtherNamespace", "is a pod of another namespace").reason
    'OtherNamespace'
"""
