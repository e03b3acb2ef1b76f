import pytest

from controller.gateway.shards.engine_count import requests_at

SAYS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 1.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.2
"""


@pytest.mark.parametrize(
    ("metrics", "want"),
    [
        pytest.param(SAYS, 4, id="both, of one engine"),
        pytest.param(SAYS + 'vllm:num_requests_running{engine="1"} 2.0\n', 6, id="an engine core each"),
        pytest.param("vllm:num_requests_running 1\nvllm:num_requests_waiting 0\n", 1, id="without labels"),
        pytest.param(SAYS.replace("} 3.0", "} 3e0 1700000000"), 4, id="as the format allows"),
        pytest.param("vllm:num_requests_running 1\n", None, id="one of the two says too little"),
        pytest.param("", None, id="nothing"),
        pytest.param("vllm:num_requests_running NaN\nvllm:num_requests_waiting 0\n", None, id="no number"),
        pytest.param("vllm:num_requests_running 1e\nvllm:num_requests_waiting 0\n", None, id="not even that"),
        pytest.param("vllm:num_requests_running -1\nvllm:num_requests_waiting 0\n", None, id="fewer than none"),
        pytest.param("<html>404</html>", None, id="another server"),
    ],
)
def test_what_an_engine_says(metrics: str, want: int | None) -> None:
    assert requests_at(metrics) == want
