"""Whether a certificate can be shown to a client now. Pure: the caller says what time it is."""

from datetime import datetime

from controller.runtime.certs.authority import CLOCK_SKEW, ServingCertificate


def validity(certificate: ServingCertificate, now: datetime) -> bool | str:
    """True, or a sentence that says why not: not valid yet, ended, or about to.

    "About to" is five minutes: a client whose clock is that much ahead refuses it already. It is as short as that
    because all replicas show the same certificate, and none would be left to be asked.
    """
    if now < certificate.not_before:
        return f"certificate: valid from {certificate.not_before:%FT%TZ}; set the clock right"
    if now >= certificate.not_after:
        return f"certificate: ended at {certificate.not_after:%FT%TZ}; renew it"
    if now >= certificate.not_after - CLOCK_SKEW:
        return f"certificate: ends at {certificate.not_after:%FT%TZ}, and nobody renewed it; renew it now"
    return True
