"""Each metric's name, unit and meaning, once.

OpenTelemetry's Prometheus exporter appends the unit and `_total`: `aim_gpu_partition_memory` in bytes becomes
`aim_gpu_partition_memory_bytes`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instrument:
    """A metric as declared to OpenTelemetry."""

    name: str
    unit: str
    description: str


PARTITION_MEMORY = Instrument(
    "aim_gpu_partition_memory",
    "By",
    "Memory of a GPU partition by type: total, allocated (what its claim was sized at), used (what the device reports)",
)
PARTITION_UTILIZATION = Instrument(
    "aim_gpu_partition_utilization", "1", "Busy share of a GPU partition's compute units, 0 to 1"
)
PARTITION_CLAIMS = Instrument(
    "aim_partition_claims",
    "{claim}",
    "Claims that have a GPU partition, by isolation: what keeps each model apart from its neighbours on the GPU",
)
SLO_BUDGET = Instrument(
    "aim_slo_error_budget_remaining",
    "1",
    "Share of an objective's error budget of 30 days that is left, 0 to 1, below 0 where more was used",
)
SLO_BURN = Instrument(
    "aim_slo_burn_rate", "1", "How many times faster than allowed an objective's error budget is used up, by window"
)
SCHEDULER_OPERATIONS = Instrument(
    "aim_scheduler_operations", "1", "Operations of the model scheduler by kind and result"
)

# The gateway's, which counts in arrays of its own: see `controller.gateway.collector`.
MODEL_REQUESTS = Instrument(
    "aim_model_requests", "1", "Requests by service, class, status (499: the client had gone) and reason of a refusal"
)
MODEL_REQUEST_LATENCY = Instrument(
    "aim_model_request_latency", "s", "From a request's last byte to its answer's last one, by outcome"
)
MODEL_TIME_TO_FIRST_BYTE = Instrument(
    "aim_model_time_to_first_byte", "s", "From a request's last byte to its answer's first one"
)
MODEL_TIME_PER_TOKEN = Instrument("aim_model_time_per_output_token", "s", "Between two tokens of a stream, the mean")
MODEL_QUEUE_WAIT = Instrument("aim_model_queue_wait", "s", "From a request's last byte to its dispatch")
MODEL_TOKENS = Instrument("aim_model_tokens", "1", "Tokens by service, class and direction, as engines count them")
MODEL_QUEUED = Instrument("aim_model_queued_requests", "1", "Requests that wait now, by service and class")
MODEL_SEATS = Instrument(
    "aim_model_seats", "1", "Seats of a service now: in_flight, minimum, lent to others, borrowed beyond its minimum"
)
PARTITION_SEATS = Instrument(
    "aim_partition_seats", "1", "Seats of a partition now: total, limit of those in use, in_flight"
)
PARTITION_PROMOTIONS = Instrument(
    "aim_partition_promotions", "1", "Requests that were served before better classes because they had waited long"
)
PARTITION_OVERLOADS = Instrument("aim_partition_overloads", "1", "Times that an engine said it is asked too much")
GATEWAY_CONNECTIONS = Instrument("aim_gateway_connections", "1", "Clients' connections now")
GATEWAY_TURNED_AWAY = Instrument("aim_gateway_connections_turned_away", "1", "Connections beyond the limits")
GATEWAY_UNROUTED = Instrument("aim_gateway_unrouted_requests", "1", "Requests for no service, by reason")
GATEWAY_ENGINE_FAILURES = Instrument("aim_gateway_engine_failures", "1", "Failures of engines, by reason")
GATEWAY_UNREACHABLE = Instrument("aim_gateway_unreachable_engines", "1", "Engines that cannot be reached now")
GATEWAY_RELOADS = Instrument("aim_gateway_reloads", "1", "Configurations by what became of them: taken, refused")
GATEWAY_REJECTED = Instrument(
    "aim_gateway_rejected_endpoints", "1", "Entries of EndpointSlices now that are no engines of ours, by reason"
)
GATEWAY_SHARDS = Instrument(
    "aim_gateway_shards", "1", "Shards of partitions at this replica now, by state: held, claimed"
)
GATEWAY_SHARD_TERMS = Instrument("aim_gateway_shard_terms", "1", "Shards that this replica got, again or first")
GATEWAY_REPLICAS = Instrument("aim_gateway_replicas", "1", "Replicas that this one sees, itself too")
GATEWAY_FOREIGN_SEATS = Instrument(
    "aim_gateway_foreign_seats", "1", "Seats of this replica's engines that requests of other replicas may still use"
)
