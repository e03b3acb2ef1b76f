"""What is known about AMD Instinct GPUs and how they can be divided.

In: a product name, a PCI device id, a mode's text. Out: how many partitions a mode makes, of how many bytes and
compute units, and who a partition is on its node. Pure facts, each with its source; what the hardware itself
reports always wins over these tables, which serve planning only.

    >>> from controller.gpu.layout import slices
    >>> from controller.gpu.mode import Mode
    >>> from controller.gpu.product import product_named
    >>> [piece.bytes // 2**20 for piece in slices(product_named("MI300X"), Mode.parse("DPX/NPS1"))]
    [98296, 98296]
"""
