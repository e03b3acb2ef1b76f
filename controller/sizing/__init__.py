"""How much GPU memory a model needs, from its architecture.

In: a model, a precision, the longest request and the number of concurrent ones; the catalogue of architecture facts.
Out: bytes of weights, of the KV cache and of everything else the engine takes, part by part and of one rank, and the
partitions of GPUs that hold them. Pure formulas: each module says where its own comes from.

::

    requirement   ModelSizingConfig: sizes by id, partitions, what a partition could hold
    ├── fit, capacity     engine_support: where vLLM runs
    ├── estimate      a request and facts -> Sizing with its parts
    │   ├── weights       tensor_parallel, rocm_padding, rope_table
    │   ├── kv_pool       kv_cache
    │   ├── activation, engine, margin
    │   └── precision
    └── catalog       family_file -> parameters -> facts

    >>> from controller.sizing.catalog import Catalog
    >>> from controller.sizing.requirement import ModelSizingConfig, SizingRequest
    >>> sizing = ModelSizingConfig(Catalog.bundled()).size(SizingRequest("Qwen/Qwen3-4B", max_model_len=4096))
    >>> str(sizing.precision), sizing.kv_bytes_per_token, sizing.weights_bytes // 10**6
    ('bf16', 147456, 8055)
"""
