"""Local copies of collections, kept current by list and watch.

An Informer owns four parts: `Reflection` (pure: which list or watch comes next, what an answer means), `Reflector`
(its I/O shell), `Store` (objects by key, with indexes) and its handlers. In: a streaming list that goes on as a watch,
or pages and then watches where the server has no such lists. Out: reads from `informer.store` (`snapshot()` for a state
to keep), and a StoreEvent to each handler for every change, in order. The objects are shared: nobody changes them, and
`Informer(checked=True)` finds in tests who does.

    >>> from controller.runtime.cache.store import Store
    >>> store = Store({"node": lambda pod: [pod["spec"]["nodeName"]]})
    >>> pod = {"metadata": {"namespace": "default", "name": "web-0"}, "spec": {"nodeName": "a"}}
    >>> [event.type.value for event in store.apply(pod)]
    ['ADDED']
    >>> [found["metadata"]["name"] for found in store.by_index("node", "a")]
    ['web-0']
"""
