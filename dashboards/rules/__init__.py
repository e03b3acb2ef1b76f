"""What Prometheus works out, and when it tells people: recording rules and alerts over the metrics that are declared.

One alert is over the API server's metrics: api_server.py.

    recording.py, memory.py, scheduling.py, repartition.py, nodes.py, service_levels.py, requests.py, operation.py
        -> alerts.py: `groups(pace)` -> files.py -> aim-gpu-sharing.rules.yaml, prometheusrule.yaml

``python -m dashboards.rules --out FOLDER`` writes both files; a test compares. Each alert has a page in docs/runbooks.
`scaled(60)` are the same rules sixty times as fast, for a rehearsal.

    >>> from dashboards.rules.alerts import alerts
    >>> next(one.severity.value for one in alerts() if one.name == "AimNodeAgentLost")
    'warning'
"""
