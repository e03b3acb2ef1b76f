"""A certificate that somebody else renews in mounted files, as cert-manager and the kubelet do; no writes here."""

from pathlib import Path

from opentelemetry.metrics import Meter

from controller.runtime.certs.authority import ServingCertificate, read_certificate
from controller.runtime.certs.material import BUNDLE, LEAF, LEAF_KEY
from controller.runtime.certs.serving import server_context
from controller.runtime.certs.source import CertificateSource
from controller.runtime.clock import Clock

#: Between two looks at the files. The kubelet itself takes up to a minute to bring a changed Secret.
LOOK_SECONDS = 10.0
#: What certificate and key may be called: as in a Secret of type kubernetes.io/tls, or as in OLM's older mount
#: (/apiserver.local.config/certificates). The first pair that is there counts.
NAMES = ((LEAF, LEAF_KEY), ("apiserver.crt", "apiserver.key"))
# The kubelet swaps a mounted Secret's files together, by this link.
_MOUNTED = "..data"


class CertificateFiles(CertificateSource):
    """Reads tls.crt, tls.key (or OLM's names) and, where it is there, ca.crt in `folder`, again when they change.

    Files that do not fit each other are refused and looked at again: they may have been caught half way.
    """

    def __init__(
        self,
        folder: Path,
        *,
        look_seconds: float = LOOK_SECONDS,
        clock: Clock | None = None,
        meter: Meter | None = None,
    ) -> None:
        super().__init__(f"certificate files in {folder}", clock=clock, meter=meter)
        self._folder = folder
        self._look_seconds = look_seconds

    async def run(self) -> None:
        """Look until cancelled. Failures are logged and repeated; the certificate at hand stays in use meanwhile."""
        while True:
            self._look()
            await self._clock.sleep(self._look_seconds)

    def _look(self) -> None:
        try:
            certificate = _read(self._folder)
            if certificate != self.certificate:
                server_context(certificate)  # OpenSSL may be pickier about the chain than the parser
        except (OSError, ValueError) as error:
            self._failed(f"{self._folder}: {error}")
        else:
            self._found(certificate)


def _read(folder: Path) -> ServingCertificate:
    # One resolved folder for all three: the link may move to another between two reads.
    mounted = folder / _MOUNTED
    folder = mounted.resolve() if mounted.exists() else folder
    authority = folder / BUNDLE
    leaf, key = next((pair for pair in NAMES if (folder / pair[0]).exists()), NAMES[0])
    return read_certificate(
        (folder / leaf).read_bytes(),
        (folder / key).read_bytes(),
        authority.read_bytes() if authority.exists() else b"",
    )
