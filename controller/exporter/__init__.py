"""The exporter: figures of GPUs and partitions as rows of metrics, and their use as what it is charged by.

In: records of ``controller.gpu.figures``, from whoever knows them. Out: rows, which
``controller.telemetry.metrics.Metrics.observe`` reads at each collection: values of the instrument's labels, in their
order, and a figure. What is not known has no row. `engines` is a process's of its own, which reads engines.

    >>> from controller.exporter.gpu_metrics import power_rows
    >>> from controller.gpu.figures import GpuFigures
    >>> gpu = GpuFigures("node-0", "0000:05:00.0", "MI300X", "CPX/NPS4", missing_partitions=0, power_watts=412.0)
    >>> list(power_rows([gpu]))
    [(('node-0', '0000:05:00.0'), 412.0)]
"""
