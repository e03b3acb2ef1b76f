"""The live map: what a cluster's GPUs do, for people's browsers. Read only.

    informers -> document (a few sections of rows) -> what a viewer may see -> differences -> server-sent events -> page

In: a `Cluster` that somebody's informers keep current. Out: HTTP with static files and JSON. What-if questions are
answered by the code of ``aim-gpu plan``. Nothing is written to the API server but reviews of who may see what.

    >>> from controller.ui.differences import applied, difference
    >>> before, after = {"nodes": {"a": 1, "b": 2}}, {"nodes": {"b": 3}}
    >>> difference(before, after)
    {'nodes': {'a': None, 'b': 3}}
    >>> applied(before, {"nodes": {"a": None, "b": 3}})
    {'nodes': {'b': 3}}
"""
