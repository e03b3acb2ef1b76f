"""The transport to an API server: configuration in, decoded objects and typed errors out.

One aiohttp session serves requests and another one watches, so that hundreds of watches never take a connection
from a request; the TLS context is made once for both. Objects are plain dicts; failures are the tree of
`errors.ApiError`, a type for each reaction of a caller.

    >>> from controller.runtime.client.configuration import ClientConfiguration
    >>> from controller.runtime.client.core import PODS
    >>> ClientConfiguration(server="https://127.0.0.1:6443", token="secret").server
    'https://127.0.0.1:6443'
    >>> PODS.path("default", "web-0", "status")
    '/api/v1/namespaces/default/pods/web-0/status'
"""
