import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.exporter.engines.figures import MOST, Figures, Observations, figures_of
from controller.exporter.engines.service_metrics import EDGES
from controller.exporter.engines.vocabulary import Measure
from tests.builders.engine_page import LATENCY_EDGES, histogram, vllm_page

OURS = EDGES[Measure.LATENCY]


def read(page: str) -> Figures:
    found = figures_of(page, EDGES)
    assert found is not None
    return found


def test_a_page_of_vllm() -> None:
    page = vllm_page(
        finished={"stop": 3, "length": 2, "abort": 1, "error": 9},
        prompt=100,
        made=50,
        waiting=4,
        filled=0.25,
        started=17.5,
    )
    found = read(page)
    assert found.requests == {"200": 5, "499": 1}
    assert found.tokens == {"input": 100, "output": 50}
    assert (found.waiting, found.filled, found.started) == (4, 0.25, 17.5)


def test_a_page_of_sglang() -> None:
    page = "\n".join(
        [
            'sglang:num_requests_total{model_name="a"} 7.0',
            'sglang:num_aborted_requests_total{model_name="a"} 2.0',
            'sglang:prompt_tokens_total{model_name="a"} 8.128902e+06',
            'sglang:generation_tokens_total{model_name="a"} 50',
            'sglang:num_queue_reqs{model_name="a"} 3',
            'sglang:token_usage{model_name="a"} 0.28',
            histogram("sglang:queue_time_seconds", [0.2], (0.1, 1.0)),
            histogram("sglang:inter_token_latency_seconds", [0.02], (0.01, 0.02)),
            histogram("sglang:time_to_first_token_seconds", [0.2], (0.1, 1.0)),
            histogram("sglang:e2e_request_latency_seconds", [3.0], (1.0, 4.0)),
        ]
    )
    found = read(page)
    assert found.requests == {"200": 7, "499": 2}
    assert found.tokens == {"input": 8_128_902, "output": 50}
    assert (found.waiting, found.filled) == (3, 0.28)
    assert found.histograms.keys() == set(Measure)
    assert found.histograms[Measure.LATENCY].sum == 3.0


@pytest.mark.parametrize(
    ("line", "want"),
    [
        pytest.param('method="POST",handler="/v1/chat/completions",status="5xx"', {"5xx": 4}, id="failed"),
        pytest.param('method="POST",handler="/v1/completions",status="429"', {"429": 4}, id="by its own status"),
        pytest.param('method="POST",handler="/v1/completions",status="2xx"', {}, id="served: the engine counts it"),
        pytest.param('method="GET",handler="/v1/models",status="4xx"', {}, id="no request for an answer"),
        pytest.param('method="POST",handler="/tokenize",status="4xx"', {}, id="of another page"),
        pytest.param('method="POST",handler="/v1/completions",status="5xx or so"', {}, id="no status"),
    ],
)
def test_what_the_engines_http_server_refused_or_failed_at(line: str, want: dict[str, int]) -> None:
    assert read(f"http_requests_total{{{line}}} 4").requests == want


def test_requests_of_all_replicas_within_an_engine_are_added_up_and_its_fullest_cache_counts() -> None:
    page = "\n".join(
        f'vllm:{name}{{engine="{number}"}} {value}'
        for number, value in enumerate((0.5, 0.25))
        for name in ("kv_cache_usage_perc", "num_requests_waiting", "prompt_tokens_total")
    ).replace('prompt_tokens_total{engine="0"} 0.5', 'prompt_tokens_total{engine="0"} 4')
    found = read(page.replace('num_requests_waiting{engine="0"} 0.5', 'num_requests_waiting{engine="0"} 2'))
    assert (found.filled, found.waiting, found.tokens["input"]) == (0.5, 2, 4)


def test_of_an_old_name_and_its_successor_one_counts() -> None:
    page = "\n".join(
        [
            'vllm:gpu_cache_usage_perc{engine="0"} 0.9',
            'vllm:kv_cache_usage_perc{engine="0"} 0.5',
            histogram("vllm:time_per_output_token_seconds", [0.01] * 5, (0.01,)),
            histogram("vllm:inter_token_latency_seconds", [0.01] * 4, (0.01,)),
            histogram("vllm:request_time_per_output_token_seconds", [0.01] * 3, (0.01,)),
        ]
    )
    found = read(page)
    assert found.filled == 0.5
    assert found.histograms[Measure.BETWEEN].upto[-1] == 3


@pytest.mark.parametrize(
    "page", ["", "up 1", "process_start_time_seconds 4", "# vllm:num_requests_waiting 4", "\0\n{}"]
)
def test_a_page_of_no_engine_that_we_know(page: str) -> None:
    assert figures_of(page, EDGES) is None


@pytest.mark.parametrize("value", ["-1", "NaN", "+Inf", "-Inf", "1e300"])
def test_a_figure_that_is_no_count_is_absent_and_the_others_are_not(value: str) -> None:
    page = "\n".join(
        [
            f"vllm:prompt_tokens_total {value}",
            f"vllm:num_requests_waiting {value}",
            f"vllm:kv_cache_usage_perc {value}",
            f'vllm:request_success_total{{finished_reason="stop"}} {value}',
            "vllm:generation_tokens_total 5",
            f'vllm:e2e_request_latency_seconds_bucket{{le="+Inf"}} {value}\nvllm:e2e_request_latency_seconds_sum 1',
            f'vllm:request_queue_time_seconds_bucket{{le="+Inf"}} 1\nvllm:request_queue_time_seconds_sum {value}',
        ]
    )
    assert read(page) == Figures(tokens={"output": 5})


def test_a_share_beyond_one_is_none() -> None:
    assert read("vllm:kv_cache_usage_perc 1.5").filled is None
    assert read("vllm:kv_cache_usage_perc 1").filled == 1.0


BUCKET = "vllm:e2e_request_latency_seconds_bucket"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([f'{BUCKET}{{le="1"}} 1'], id="without the infinite bucket"),
        pytest.param([f'{BUCKET}{{le="1"}} 3', f'{BUCKET}{{le="+Inf"}} 2'], id="falling"),
        pytest.param([f'{BUCKET}{{le="one"}} 1', f'{BUCKET}{{le="+Inf"}} 2'], id="with a bucket of no number"),
        pytest.param([f"{BUCKET} 1", f'{BUCKET}{{le="+Inf"}} 2'], id="with a bucket of no bound"),
    ],
)
def test_a_histogram_that_contradicts_itself_is_absent(lines: list[str]) -> None:
    assert read("\n".join(["vllm:e2e_request_latency_seconds_sum 4", *lines])) == Figures()


def test_an_observation_counts_in_the_first_of_our_buckets_that_is_sure_to_hold_it() -> None:
    page = histogram("vllm:e2e_request_latency_seconds", [0.2, 0.4, 0.6, 3.0, 35.0, 500.0])
    found = read(page).histograms[Measure.LATENCY]
    upto = dict(zip((*OURS, math.inf), found.upto, strict=True))
    # 0.2 s is up to 0.3 with vLLM, and 0.5 is our first bucket from there; 35 s is up to 40, and ours is 60
    assert (upto[0.25], upto[0.5], upto[1.0], upto[2.5], upto[5.0]) == (0, 2, 3, 3, 4)
    assert (upto[30.0], upto[60.0], upto[600.0], upto[math.inf]) == (4, 5, 5, 6)
    assert found.sum == pytest.approx(539.2)


@given(st.lists(st.floats(0.001, 1000), max_size=30), st.lists(st.sampled_from(LATENCY_EDGES), unique=True, max_size=8))
def test_nothing_is_told_as_faster_than_it_was(seconds: list[float], edges: list[float]) -> None:
    page = histogram("vllm:e2e_request_latency_seconds", seconds, tuple(sorted(edges)))
    found = read(page).histograms[Measure.LATENCY]
    assert found.upto[-1] == len(seconds)
    for edge, upto in zip(OURS, found.upto, strict=False):
        assert upto <= sum(one <= edge for one in seconds)
        if edge in edges:
            assert upto == sum(one <= edge for one in seconds)


def test_there_are_as_many_buckets_as_we_declare_whatever_a_page_has() -> None:
    page = histogram("vllm:e2e_request_latency_seconds", [1.0], tuple(number / 100 for number in range(1, 2000)))
    assert read(page).histograms[Measure.LATENCY] == Observations(
        tuple(int(edge >= 1.0) for edge in (*OURS, math.inf)), 1.0
    )


@given(st.text(max_size=200))
def test_whatever_a_line_holds_it_is_a_count_or_none_and_the_others_are_read(page: str) -> None:
    found = read("vllm:generation_tokens_total 5\nvllm:num_requests_waiting" + page)
    assert found.tokens == {"output": 5}
    assert found.waiting is None or 0 <= found.waiting <= MOST
