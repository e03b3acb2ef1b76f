"""What a peer may not send: one error type, which says the status it is answered with and why."""


class Malformed(Exception):
    """Bytes that are no message of HTTP/1.1, or could be read as another message by somebody else.

    `status` is what a client is answered (400 unless it has one of its own), `reason` one CamelCase word. After it
    nothing more is read from the connection: where the next message begins is unknown.
    """

    def __init__(self, reason: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.status = status
