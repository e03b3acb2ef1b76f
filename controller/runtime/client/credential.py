"""What a request shows of who we are, and until when that is good."""

from dataclasses import dataclass, field
from datetime import datetime

from controller.runtime.client.configuration import ClientCertificate


@dataclass(frozen=True, slots=True)
class Credential:
    """A token, a certificate, both or neither. `expires_at` None: not known."""

    token: str | None = field(default=None, repr=False)
    certificate: ClientCertificate | None = None
    expires_at: datetime | None = None
