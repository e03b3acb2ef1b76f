"""Each metric of ours once: name, unit, kind, labels, meaning and who exports it.

Names of Prometheus' text add the unit and `_total` (`Instrument.exported_name`): `aim_gpu_partition_memory` in bytes
is `aim_gpu_partition_memory_bytes` there. What the machinery exports under names that dashboards know from
controller-runtime is in `controller.runtime.instruments`.

A service's series have `namespace`, `service` (the InferenceService's name, "" for what belongs to none) and `model`
(the model's id). Beyond `controller.telemetry.bounds` of them the rest are told together as ``other``.
"""

from controller.runtime.instrument import counter, gauge, histogram

AGENT, GATEWAY, OPERATOR, EXPORTER, UI = "agent", "gateway", "operator", "exporter", "ui"

SERVICE = ("namespace", "service", "model")
PARTITION = ("node", "gpu", "partition", "mode", "claim", "pod", *SERVICE)
REQUESTS = (*SERVICE, "priority")

#: Seconds of a request: from an answer out of a cache to the longest generation that is waited for. A service's
#: objectives add their thresholds, so that a share below a threshold is counted and not estimated.
REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
#: Seconds for one output token.
TOKEN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5)
#: Seconds of a decision: from one claim in a small cluster to a joint choice of layouts for hundreds of nodes.
DECISION_SECONDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
#: Seconds that people wait for: from a claim that fits at once to one that needs drained nodes or an approval.
WAITING_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0)

# Every process.
BUILD_INFO = gauge(
    "aim_build_info",
    "1",
    (OPERATOR, AGENT, GATEWAY, EXPORTER, UI),
    ("process", "version"),
    "1, of each process that runs, with its version",
)
CERTIFICATE_EXPIRY = gauge(
    "aim_certificate_expiration_timestamp",
    "s",
    (OPERATOR, GATEWAY, UI),
    ("certificate",),
    "When a certificate that this process shows ends, in seconds since 1970",
)

# The agent's: what the hardware reports is told, what it does not report is absent.
AGENT_INFO = gauge(
    "aim_agent_info",
    "1",
    (AGENT,),
    ("node", "backend", "simulated", "driver"),
    "1, of each node's agent, with where its figures come from; simulated: no GPU is real",
)
AGENT_HARDWARE_READABLE = gauge(
    "aim_agent_hardware_readable",
    "1",
    (AGENT,),
    ("node",),
    "Whether the node's GPUs could be read at the last try: 1, or 0",
)
AGENT_OPERATIONS = counter(
    "aim_agent_operations",
    "1",
    (AGENT,),
    ("node", "result"),
    "Mode changes that the agent carried out, by result: Succeeded, Failed",
)
GPU_INFO = gauge(
    "aim_gpu_info",
    "1",
    (AGENT,),
    ("node", "gpu", "product", "mode"),
    "1, of each GPU with its product and present mode",
)
GPU_TEMPERATURE = gauge(
    "aim_gpu_temperature",
    "Cel",
    (AGENT,),
    ("node", "gpu", "sensor"),
    "Temperature of a GPU by sensor: hotspot, memory, edge",
)
GPU_POWER = gauge(
    "aim_gpu_power", "W", (AGENT,), ("node", "gpu"), "Power that a GPU draws now, all its partitions together"
)
GPU_ECC_ERRORS = counter(
    "aim_gpu_ecc_errors",
    "1",
    (AGENT,),
    ("node", "gpu", "severity"),
    "Memory errors of a GPU since its driver was loaded: correctable, uncorrectable, deferred",
)
GPU_PROCESSES = gauge("aim_gpu_processes", "1", (AGENT,), ("node", "gpu"), "Processes that have a GPU open")
GPU_PARTITIONS_MISSING = gauge(
    "aim_gpu_partitions_missing",
    "1",
    (AGENT,),
    ("node", "gpu"),
    "Partitions that a GPU's mode has and its driver does not show",
)
PARTITION_MEMORY = gauge(
    "aim_gpu_partition_memory",
    "By",
    (AGENT,),
    (*PARTITION, "type"),
    "Memory of a GPU partition by type: total, allocated (what its claim was sized at), used (what the device reports)",
)
PARTITION_UTILIZATION = gauge(
    "aim_gpu_partition_utilization",
    "1",
    (AGENT,),
    PARTITION,
    "Busy share of a GPU partition's compute units, 0 to 1, as the device measures it",
)
PARTITION_HEALTH = gauge(
    "aim_gpu_partition_healthy", "1", (AGENT,), PARTITION, "Whether a GPU partition is healthy: 1, or 0"
)
USAGE_PARTITION_SECONDS = counter(
    "aim_usage_partition",
    "s",
    (AGENT,),
    ("node", *SERVICE),
    "Seconds that a service held partitions of a node, each partition counted: what use is charged by",
)
USAGE_BYTE_SECONDS = counter(
    "aim_usage_memory",
    "By.s",
    (AGENT,),
    ("node", *SERVICE),
    "Seconds that a service held partitions of a node, times their bytes of memory",
)

# Requests: the gateway's, and of services without it what their engines told the exporter.
MODEL_REQUESTS = counter(
    "aim_model_requests",
    "1",
    (GATEWAY, EXPORTER),
    (*REQUESTS, "code", "reason"),
    "Requests by service, class, status (499: the client had gone) and reason of a refusal",
)
MODEL_REQUEST_LATENCY = histogram(
    "aim_model_request_latency",
    "s",
    (GATEWAY, EXPORTER),
    (*REQUESTS, "outcome"),
    "From a request's last byte to its answer's last one, by outcome: success, failure",
    REQUEST_SECONDS,
)
MODEL_TIME_TO_FIRST_BYTE = histogram(
    "aim_model_time_to_first_byte",
    "s",
    (GATEWAY, EXPORTER),
    REQUESTS,
    "From a request's last byte to its answer's first one",
    REQUEST_SECONDS,
)
MODEL_TIME_PER_TOKEN = histogram(
    "aim_model_time_per_output_token",
    "s",
    (GATEWAY, EXPORTER),
    REQUESTS,
    "Between two tokens of a stream, the mean",
    TOKEN_SECONDS,
)
MODEL_QUEUE_WAIT = histogram(
    "aim_model_queue_wait",
    "s",
    (GATEWAY, EXPORTER),
    REQUESTS,
    "From a request's last byte to its dispatch",
    (0.001, *REQUEST_SECONDS),
)
MODEL_TOKENS = counter(
    "aim_model_tokens",
    "1",
    (GATEWAY, EXPORTER),
    (*REQUESTS, "direction"),
    "Tokens by service, class and direction (input, output), as engines count them",
)
MODEL_QUEUED = gauge(
    "aim_model_queued_requests", "1", (GATEWAY, EXPORTER), REQUESTS, "Requests that wait now, by service and class"
)
MODEL_SEATS = gauge(
    "aim_model_seats",
    "1",
    (GATEWAY,),
    (*SERVICE, "state"),
    "Seats of a service now: in_flight, minimum, lent to others, borrowed beyond its minimum",
)
MODEL_QUEUE_LENGTH = gauge(
    "aim_model_queue_length_limit",
    "1",
    (GATEWAY,),
    SERVICE,
    "Requests of a service that may wait at once at this replica, its part of maxLength; what comes beyond is refused",
)
MODEL_KV_CACHE = gauge(
    "aim_model_kv_cache_usage",
    "1",
    (EXPORTER,),
    SERVICE,
    "Filled share of the KV cache of a service's engines, 0 to 1, the fullest of them",
)
ENGINE_SCRAPES = counter(
    "aim_engine_scrapes",
    "1",
    (EXPORTER,),
    ("result",),
    "Readings of engines' metrics by result: success, or what failed",
)
ENGINES_WATCHED = gauge("aim_engines_watched", "1", (EXPORTER,), (), "Engines that the exporter reads now")
PARTITION_SEATS = gauge(
    "aim_partition_seats",
    "1",
    (GATEWAY,),
    ("node", "gpu", "partition", "state"),
    "Seats of a partition now: total, limit of those in use, in_flight",
)
PARTITION_PROMOTIONS = counter(
    "aim_partition_promotions",
    "1",
    (GATEWAY,),
    ("node", "gpu", "partition"),
    "Requests that were served before better classes because they had waited long",
)
PARTITION_OVERLOADS = counter(
    "aim_partition_overloads",
    "1",
    (GATEWAY,),
    ("node", "gpu", "partition"),
    "Times that an engine said it is asked too much",
)
GATEWAY_CONNECTIONS = gauge("aim_gateway_connections", "1", (GATEWAY,), (), "Clients' connections now")
GATEWAY_TURNED_AWAY = counter(
    "aim_gateway_connections_turned_away", "1", (GATEWAY,), (), "Connections beyond the limits"
)
GATEWAY_UNROUTED = counter(
    "aim_gateway_unrouted_requests", "1", (GATEWAY,), ("reason",), "Requests for no service, by reason"
)
GATEWAY_ENGINE_FAILURES = counter(
    "aim_gateway_engine_failures", "1", (GATEWAY,), ("reason",), "Failures of engines, by reason"
)
GATEWAY_UNREACHABLE = gauge(
    "aim_gateway_unreachable_engines", "1", (GATEWAY,), (), "Engines that cannot be reached now"
)
GATEWAY_RELOADS = counter(
    "aim_gateway_reloads", "1", (GATEWAY,), ("result",), "Configurations by what became of them: taken, refused"
)
GATEWAY_REJECTED = gauge(
    "aim_gateway_rejected_endpoints",
    "1",
    (GATEWAY,),
    ("reason",),
    "Entries of EndpointSlices now that are no engines of ours, by reason",
)
GATEWAY_SHARDS = gauge(
    "aim_gateway_shards",
    "1",
    (GATEWAY,),
    ("state",),
    "Shards of partitions at this replica now, by state: held, claimed; with --shards",
)
GATEWAY_SHARD_TERMS = counter(
    "aim_gateway_shard_terms", "1", (GATEWAY,), (), "Shards that this replica got, again or first; with --shards"
)
GATEWAY_REPLICAS = gauge(
    "aim_gateway_replicas", "1", (GATEWAY,), (), "Replicas that this one sees, itself too; with --shards"
)
GATEWAY_FOREIGN_SEATS = gauge(
    "aim_gateway_foreign_seats",
    "1",
    (GATEWAY,),
    (),
    "Seats of this replica's engines that requests of other replicas may still use; with --shards",
)

# The operator's: of the cluster as the leader sees it; replicas that wait tell nothing of it.
SCHEDULER_OPERATIONS = counter(
    "aim_scheduler_operations",
    "1",
    (OPERATOR,),
    ("operation", "result"),
    "Operations of the model scheduler by kind and result",
)
SCHEDULER_OPERATION_SECONDS = histogram(
    "aim_scheduler_operation_duration",
    "s",
    (OPERATOR,),
    ("operation",),
    "Length of a scheduler's operation: cycle, layouts (the joint choice of modes), explain",
    DECISION_SECONDS,
)
SCHEDULER_TIME_TO_BIND = histogram(
    "aim_scheduler_time_to_bind",
    "s",
    (OPERATOR,),
    ("stage",),
    "From a claim's making to its stage: bound (a place is chosen), allocated (the cluster's scheduler agreed)",
    WAITING_SECONDS,
)
SCHEDULER_PENDING = gauge(
    "aim_scheduler_pending_claims",
    "1",
    (OPERATOR,),
    ("namespace", "reason"),
    "Claims that wait for a partition now, by the reason of their condition Bound; Undecided before there is one",
)
SCHEDULER_OLDEST_PENDING = gauge(
    "aim_scheduler_oldest_pending",
    "s",
    (OPERATOR,),
    ("namespace", "reason"),
    "How long the claim that waits longest has waited since it last began to, by the reason of its condition Bound",
)
SCHEDULER_FRAGMENTATION = gauge(
    "aim_scheduler_fragmentation_ratio",
    "1",
    (OPERATOR,),
    ("product",),
    "Share of free memory that the expected next claim could not use, 0 to 1",
)
SCHEDULER_STRANDED = gauge(
    "aim_scheduler_stranded_memory",
    "By",
    (OPERATOR,),
    ("product", "place"),
    "Memory that nobody can use: inside (held beyond what claims were sized at), free (no known claim fits there)",
)
SCHEDULER_ALLOCATION = gauge(
    "aim_scheduler_allocation_ratio",
    "1",
    (OPERATOR,),
    ("product",),
    "Memory of held partitions over that of all that are held or free, 0 to 1; what is unusable is neither",
)
SCHEDULER_EVICTIONS = counter(
    "aim_scheduler_evictions",
    "1",
    (OPERATOR,),
    ("reason",),
    "Pods that were evicted, by why: Preemption, Repartition, Unhealthy, Rollout",
)
GPU_PARTITIONS = gauge(
    "aim_gpu_partitions",
    "1",
    (OPERATOR,),
    ("product", "mode", "holder"),
    "Partitions of managed nodes by product, mode and holder: free, ours, foreign, unlocated (a pod holds one by the "
    "device plugin and nobody knows which), unusable (nobody's, and unhealthy or in quarantine)",
)
PARTITION_CLAIMS = gauge(
    "aim_partition_claims",
    "1",
    (OPERATOR,),
    ("isolation",),
    "Claims that have a GPU partition, by isolation: what keeps each model apart from its neighbours on the GPU",
)
CLAIMS = gauge("aim_claims", "1", (OPERATOR,), ("phase",), "GPUPartitionClaims by phase")
PLANS = gauge("aim_repartition_plans", "1", (OPERATOR,), ("phase",), "RepartitionPlans by phase")
PLAN_PHASE_AGE = gauge(
    "aim_repartition_phase_age",
    "s",
    (OPERATOR,),
    ("node", "phase"),
    "How long the plan of a node that is longest in a phase has been in it; Closing: it ended and is not tidied up",
)
PLANS_DEGRADED = gauge(
    "aim_repartition_degraded_plans",
    "1",
    (OPERATOR,),
    ("node",),
    "RepartitionPlans of a node whose way back failed, too: their condition Degraded is True, and a person has to act",
)
PLAN_PHASE_SECONDS = histogram(
    "aim_repartition_phase_duration", "s", (OPERATOR,), ("phase",), "Length of the phases that ended", WAITING_SECONDS
)
AGENT_UP = gauge(
    "aim_node_agent_up", "1", (OPERATOR,), ("node",), "Whether a managed node's agent renews its Lease: 1, or 0"
)
NODE_PARTITIONS_UNHEALTHY = gauge(
    "aim_node_unhealthy_partitions",
    "1",
    (OPERATOR,),
    ("node",),
    "Partitions of a managed node that its agent reports as unhealthy or missing, and those of GPUs whose mode cannot "
    "be read; of a GPU that is gone, one",
)
SERVICE_CONDITION = gauge(
    "aim_inference_service_condition",
    "1",
    (OPERATOR,),
    (*SERVICE, "condition"),
    "Conditions of InferenceServices: 1 when True, 0 when False; absent while Unknown. Of `other` 0 if any is False",
)
SERVICE_REPLICAS = gauge(
    "aim_inference_service_replicas",
    "1",
    (OPERATOR,),
    (*SERVICE, "state"),
    "Replicas of InferenceServices: wanted, ready",
)
MODEL_MEMORY_ESTIMATE = gauge(
    "aim_model_memory_estimate",
    "By",
    (OPERATOR,),
    ("profile", "model", "bound"),
    "Memory that a ModelProfile's engine should take: at least (weights and runtime, KV cache empty, no margin) and "
    "at most (what its largest claim, or its largest size, was sized at)",
)
MODEL_MEMORY_OBSERVED = gauge(
    "aim_model_memory_observed",
    "By",
    (OPERATOR,),
    ("profile", "model"),
    "Memory that engines of a ModelProfile were observed to take, the most of them",
)
SLO_BUDGET = gauge(
    "aim_slo_error_budget_remaining",
    "1",
    (OPERATOR,),
    (*SERVICE, "metric", "percentile", "threshold"),
    "Share of an objective's error budget of 30 days that is left, 0 to 1, below 0 where more was used",
)
SLO_BURN = gauge(
    "aim_slo_burn_rate",
    "1",
    (OPERATOR,),
    (*SERVICE, "metric", "percentile", "threshold", "window"),
    "How many times faster than allowed an objective's error budget is used up, by window",
)
SLO_BURN_LIMIT = gauge(
    "aim_slo_burn_rate_limit",
    "1",
    (OPERATOR,),
    (*SERVICE, "metric", "percentile", "threshold", "window"),
    "Burn rate above which an objective's error budget is used up too fast, by the window that it is measured over: "
    "1h, 6h, 72h",
)
SLO_SLOW = gauge(
    "aim_slo_slow_requests",
    "1",
    (OPERATOR,),
    (*SERVICE, "metric", "percentile", "threshold", "window"),
    "Requests beyond an objective's threshold, by window: a burn rate of few says little",
)

# The live map's, where it is served in the cluster.
UI_VIEWERS = gauge("aim_ui_viewers", "1", (UI,), (), "Pages of the live map that are open now")
UI_UPDATES = counter(
    "aim_ui_updates",
    "1",
    (UI,),
    ("result",),
    "Updates for pages by result: sent; dropped, as a page was too slow, which gets the whole state instead",
)
UI_UPDATE_SECONDS = histogram(
    "aim_ui_update_duration",
    "s",
    (UI,),
    (),
    "Length of making an update for all pages: reading the tables, and what is new to each viewer",
    DECISION_SECONDS,
)
UI_AGE = gauge(
    "aim_ui_age",
    "s",
    (UI,),
    ("resource",),
    "Age of what the live map shows of a resource: since the API server last answered, which it is asked every few "
    "seconds, or since the resource's list or watch began to fail",
)
UI_WHAT_IFS = counter(
    "aim_ui_what_ifs",
    "1",
    (UI,),
    ("result",),
    "Questions what if, by result: answered; refused, as it makes no sense or nobody may ask that; limited, as there "
    "were too many; failed",
)
