"""AIM profiles: how an AIM container starts its engine on a GPU partition, worked out from sizing.

In: what is served (model, precision, length, concurrency), products, and a placement once there is one. Out: profiles
in AMD's published format for every mode that holds the model, as files with an index or as one ConfigMap's data, and
for a placement the id of its profile and the engine's arguments. Pure; writing and mounting are others' work.

::

    aim_profile        the file: name, id, YAML          data/*.schema.json   what is valid
    engine_arguments   a sizing as vLLM's settings       checkpoints          which copy has the weights
    feasible           modes that hold a model
    expected_start     what a start with such arguments would find
    generator          AIMProfileGenerator: all profiles of one model in one precision
    selection          ServiceProfiles: one service's ConfigMap, and what a placement is told
    lists, index       the listed models, and what became of each

    >>> from controller.gpu.mode import Mode
    >>> from controller.profiles.selection import Place, Service, ServiceProfiles
    >>> from controller.sizing.catalog import Catalog
    >>> from controller.sizing.requirement import ModelSizingConfig, SizingRequest
    >>> service = Service(SizingRequest("Qwen/Qwen3-4B", max_model_len=4096))
    >>> profiles = ServiceProfiles(ModelSizingConfig(Catalog.bundled()), service)
    >>> profiles.select(Place("MI300X", Mode.parse("CPX/NPS4"), 24574 << 20)).profile_id
    'custom/general/vllm-mi300x-bf16-tp1-latency-cpx-nps4'
    >>> "vllm-mi300x-bf16-tp1-latency-cpx-nps4.yaml" in profiles.config_map_data()
    True
"""
