"""The transport to an API server: configuration in, decoded objects and typed errors out.

One session of keep-alive connections serves requests and watches; only requests wait for one of its slots, so that
hundreds of watches never take a connection from a request. The TLS context is made once, and again when its files
change. Objects are plain dicts, or structs where a read says `into`; failures are the tree of `errors.ApiError`, a
type for each reaction of a caller.

    client.Client = reader.Reader + writer.Writer      the verbs
        sender.Sender                                  credentials, rate, retries, metrics
            transport.Transport                        connections and slots, and the check of a guarded write

    >>> from controller.runtime.client.configuration import ClientConfiguration
    >>> from controller.runtime.client.core import PODS
    >>> ClientConfiguration(server="https://127.0.0.1:6443", token="secret").server
    'https://127.0.0.1:6443'
    >>> PODS.path("default", "web-0", "status")
    '/api/v1/namespaces/default/pods/web-0/status'
"""
