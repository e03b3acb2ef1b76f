"""The exporter: figures of partitions as rows for metrics. A room of the agent and the operator, no process.

In: each partition's figures, from whoever knows them. Out: (value, labels) rows that
``controller.telemetry.metrics.Metrics.observe_partitions`` reads at each collection.

    >>> from controller.exporter.partition_metrics import memory_rows
    >>> list(memory_rows([]))
    []
"""
