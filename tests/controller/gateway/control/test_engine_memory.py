import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.gateway.control.engine_memory import EngineMemory, engine_memory
from e2e.engine.memory import Memory
from e2e.engine.metrics import Metrics
from e2e.engine.settings import EngineSettings

GIB = 2**30
# as vLLM 0.11 prints it, labels cut
REAL = """
# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="16",cache_dtype="auto",engine="0",gpu_memory_utilization="0.9",kv_cache_memory_bytes="None",num_gpu_blocks="4096"} 1.0
vllm:kv_cache_usage_perc{engine="0",model_name="Qwen/Qwen3-8B"} 0.25
vllm:num_requests_running{engine="0",model_name="Qwen/Qwen3-8B"} 3.0
"""


def test_what_an_engine_took_is_what_its_kv_cache_left_and_what_is_filled_of_that() -> None:
    found = engine_memory(REAL)
    assert found == EngineMemory(utilization=0.9, blocks=4096, block_tokens=16, filled=0.25)
    token = 147_456
    pool = 4096 * 16 * token
    assert found.taken(24 * GIB, token) == int(0.9 * 24 * GIB) - pool + pool // 4


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(REAL.replace("4096", "None"), id="an engine that still starts"),
        pytest.param(REAL.replace('kv_cache_memory_bytes="None"', 'kv_cache_memory_bytes="1024"'), id="pinned"),
        pytest.param(REAL.replace('gpu_memory_utilization="0.9",', ""), id="it does not say how much it plans with"),
        pytest.param(REAL.replace('"0.9"', '"9"'), id="more than there is"),
        pytest.param(REAL.replace('block_size="16"', 'block_size="0"'), id="blocks of nothing"),
    ],
)
def test_an_engine_that_says_too_little_says_nothing(text: str) -> None:
    assert engine_memory(text) is None


def test_the_older_name_of_what_is_filled() -> None:
    older = REAL.replace("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc").replace("} 0.25", "} nan")
    assert (found := engine_memory(older)) is not None
    assert found.filled == 0.0


def test_a_kv_cache_that_is_larger_than_the_share_is_a_contradiction() -> None:
    found = engine_memory(REAL)
    assert found is not None
    assert found.taken(8 * GIB, 147_456) is None


@given(st.text(), st.text(alphabet='{}"=\\,0123456789.eE+-naif_ \n'))
def test_no_page_of_metrics_raises(noise: str, tail: str) -> None:
    for line in (noise, f"vllm:cache_config_info{tail}", f"vllm:kv_cache_usage_perc{{{tail}}} {noise}"):
        found = engine_memory(f"{REAL}\n{line}\n{tail}")
        assert found is None or 0 <= found.filled <= 1


def test_a_simulated_engine_is_read_like_a_real_one() -> None:
    memory = Memory(fixed=10 * GIB, pool=8 * GIB, token=131_072, utilization=0.75)
    found = engine_memory(Metrics(EngineSettings(model="acme/chat", memory=memory)).text().decode())
    assert found is not None
    assert found.taken(24 * GIB, 131_072) == 10 * GIB
