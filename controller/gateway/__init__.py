"""The gateway: OpenAI-compatible HTTP before the engines, where requests wait and are put in order.

In: clients' connections, and a `GatewayConfiguration` that is replaced while it runs. Out: each request at one engine,
its answer passed on as it comes, or an error in OpenAI's format. Which request goes next is `controller.qos`' decision.

::

    server -> client_connection -> exchange -> pool -> upstream      the data path: callbacks, and no task a request
    gateway      what they share                   reload    what a configuration comes to
    timers       deadlines of many connections     latency   what requests took
    forwarding   what other replicas order         outage    engines that cannot be reached; pure

    configuration   what it works by                framing   bytes -> heads and bodies, strictly; pure
    routes          model and caller -> service     heads     a head seen before is not read twice; pure
    errors          refusals as OpenAI says them    body      what a request asks for; pure
    answer          where an answer ends; pure      splice    the few fields that are set on the way; pure

    >>> from controller.gateway.configuration import Caller
    >>> Caller("team-a", "key-1", namespaces=frozenset({"team-a"})).may_call("team-b")
    False
"""
