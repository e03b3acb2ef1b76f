"""Whether a certificate can be shown to a client now. Pure: the caller says what time it is."""

from datetime import datetime, timedelta

from controller.runtime.certs.authority import ServingCertificate
from controller.runtime.certs.rotation import CLOCK_SKEW


def validity(certificate: ServingCertificate, now: datetime) -> bool | str:
    """True, or a sentence that says why not: not valid yet, ended, or about to.

    "About to" is five minutes: a client whose clock is that much ahead refuses it already. It is as short as that
    because all replicas show the same certificate, and none would be left to be asked. Of one that lasts less than
    half an hour it is the last sixth, half of the time that is left when such a one of ours is renewed.
    """
    if now < certificate.not_before:
        return f"certificate: valid from {certificate.not_before:%FT%TZ}; set the clock right"
    if now >= certificate.not_after:
        return f"certificate: ended at {certificate.not_after:%FT%TZ}; renew it"
    lasts = certificate.not_after - certificate.not_before - CLOCK_SKEW
    if now >= certificate.not_after - min(CLOCK_SKEW, max(lasts / 6, timedelta(0))):
        return f"certificate: ends at {certificate.not_after:%FT%TZ}, and nobody renewed it; renew it now"
    return True
