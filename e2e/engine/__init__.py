"""Simulated inference engines: OpenAI's API and vLLM's metrics, and nothing behind them but a clock.

No model runs, no text means anything: a simulated engine makes words at the pace at which a batch of its size would be
served on its partition, holds so many requests at once as an engine of its settings would, and writes down how many it
has in flight. It says that it is simulated in the header `X-Simulated` of every answer, and under `/version`.

In: requests, and settings as an engine's arguments give them. Out: answers, metrics, and the record by which schedulers
of requests are judged (`judge`). By hand:

    python -m e2e.engine --model Qwen/Qwen3-8B --seats 4 --port 8000

or in a test, an engine that takes no time:

    async with serving(EngineSettings(model="acme/chat", seats=2)) as served:
        ... http://127.0.0.1:{served.port}/v1/chat/completions
"""
