"""How much GPU memory a model needs, from its architecture.

In: a model id, a precision, the longest request and the number of concurrent ones; the bundled catalogue of
architecture facts. Out: bytes of weights, of the KV cache and of everything else the engine takes, and the partition
modes of a GPU in which one partition holds them. Pure formulas: each module says where its own comes from.

    >>> from controller.sizing.catalog import Catalog
    >>> from controller.sizing.requirement import ModelSizingConfig, SizingRequest
    >>> sizing = ModelSizingConfig(Catalog.bundled()).size(SizingRequest("Qwen/Qwen3-4B", max_model_len=4096))
    >>> str(sizing.precision), sizing.kv_bytes_per_token, sizing.weights_bytes // 10**6
    ('bf16', 147456, 8044)
"""
