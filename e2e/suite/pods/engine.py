"""An engine that computes nothing: `python -c PROGRAM PORT SECONDS`; every completion takes that long.

It takes as many requests at once as come: who may come is for the gateway to say.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECONDS = float(sys.argv[2])


class Engine(BaseHTTPRequestHandler):
    """OpenAI's completions, one word each; anything that is read says that it is alive."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """For the kubelet's probe."""
        self._answer({"alive": True})

    def do_POST(self) -> None:
        """A completion, when its time is over."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(SECONDS)
        self._answer(
            {
                "object": "text_completion",
                "model": asked["model"],
                "choices": [{"index": 0, "text": "word", "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        )

    def _answer(self, told: dict[str, object]) -> None:
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", int(sys.argv[1])), Engine).serve_forever()
