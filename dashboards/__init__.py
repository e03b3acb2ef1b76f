"""Dashboards and alerts: what people on call look at, written in code and committed as the files that are loaded.

A dashboard is a module (`overview`, `partition_utilization`, `model_performance`, `scheduler_metrics`) of panels over
the metrics that `controller.telemetry.instruments` declares; ``python -m dashboards`` writes them to `json/`.
`rules` holds recording rules and alerts. Not part of the package that is installed.
"""
