"""The node agent: what a node's GPUs are, and the only code that changes them.

In: the hardware, as the driver's files tell it (``kfd``, ``sysfs``), and the operation written for this node. Out:
the node's inventory with each partition's identity and size, and the progress of the operation.

    >>> from controller.agent.kfd import KfdNode, assemble
    >>> node = KfdNode(number=1, device_id=0x740F, domain=0, location_id=0x6300, render_minor=128,
    ...                simd_count=416, simd_per_cu=4, num_xcc=1, vram_bytes=None)
    >>> gpu = assemble([node]).gpus[0]
    >>> gpu.bdf, gpu.product_name, gpu.partitions[0].compute_units
    ('0000:63:00.0', 'MI210', 104)
"""
