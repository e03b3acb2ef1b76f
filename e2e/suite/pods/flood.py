"""Two clients of the gateway: `python -c PROGRAM JSON`, and a line of JSON is told.

Asked: `host`, `authority` (PEM), `token` (a file), `quiet` and `noisy` (models), `clients` (of the noisy one at once),
`seconds` (how long it is asked), `before` (of them pass until the quiet one is asked). Told: of `alone`, `beside` and
`flood` each answer as [status, reason, seconds]: the quiet model without a flood and with it, and the flood's own.
"""

import http.client
import json
import ssl
import sys
import threading
import time
from pathlib import Path

ASKED = json.loads(sys.argv[1])
CONTEXT = ssl.create_default_context(cadata=ASKED["authority"])
LIMIT_SECONDS = 60.0
PAUSE_SECONDS = 0.2  # after a refusal, or refusals would be all that there is time for
ALONE = 5

Answer = tuple[int, str, float]


def ask(model: str) -> Answer:
    """One completion, on a connection of its own."""
    token = Path(ASKED["token"]).read_text(encoding="utf-8").strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"model": model, "prompt": "hello", "max_tokens": 1})
    began = time.monotonic()
    connection = http.client.HTTPSConnection(ASKED["host"], timeout=LIMIT_SECONDS, context=CONTEXT)
    try:
        connection.request("POST", "/v1/completions", body, headers)
        answer = connection.getresponse()
        answer.read()
        reason = answer.headers.get("X-Aim-Reason") or ""
        return answer.status, reason, time.monotonic() - began
    finally:
        connection.close()


def routed(model: str) -> None:
    """Wait until the gateway knows the model and its engine."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while (answer := ask(model))[0] != 200:
        if time.monotonic() > deadline:
            sys.exit(f"no answer of {model} within {LIMIT_SECONDS:.0f} s: {answer}")
        time.sleep(PAUSE_SECONDS)


def flood(ends: float, answers: list[Answer]) -> None:
    """One client of the noisy model, who asks again at once."""
    while time.monotonic() < ends:
        answers.append(answer := ask(ASKED["noisy"]))
        if answer[0] != 200:
            time.sleep(PAUSE_SECONDS)


for name in (ASKED["quiet"], ASKED["noisy"]):
    routed(name)
alone = [ask(ASKED["quiet"]) for _ in range(ALONE)]
until = time.monotonic() + ASKED["seconds"]
floods: list[list[Answer]] = [[] for _ in range(ASKED["clients"])]
threads = [threading.Thread(target=flood, args=(until, each)) for each in floods]
for thread in threads:
    thread.start()
time.sleep(ASKED["before"])
beside = []
while time.monotonic() < until:
    beside.append(ask(ASKED["quiet"]))
for thread in threads:
    thread.join()
sys.stdout.write(json.dumps({"alone": alone, "beside": beside, "flood": [one for each in floods for one in each]}))
