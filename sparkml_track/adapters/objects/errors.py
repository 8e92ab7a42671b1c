"""What clients of object stores raise, in one sentence that holds no credentials.

obstore    exceptions.BaseError and the built-in errors that it raises in their place
deltalake  OSError and DeltaError with the same text, as both are made of the same client
pyarrow    OSError with the text of Amazon's
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sparkml_track.adapters.objects.settings import KEYS_AT, NO_CREDENTIALS, ObjectSettings
from sparkml_track.errors import SparkmlError

__all__ = ["may_pass", "reason", "translated", "without_secrets"]

_FAILED = "the store failed or is overloaded, also when it was asked again: try later"
_AWAY_SAID = "the store does not answer: see that AWS_ENDPOINT_URL is right and the network is there, and try again"
_REFUSED = (
    "InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|InvalidClientTokenId|TokenRefreshRequired"
)
_AWAY = r"tcp connect|Connection refused|client error \(Connect\)|timed? ?out|error sending request|HTTP error|curlCode"
# The first that fits says it. What the store answered in words comes before what happened on the way.
_REASONS = (
    (r"169\.254\.169\.254|latest/(api/token|meta-data)|Credentials(NotLoaded|Provider)", NO_CREDENTIALS),
    (r"(failed|not).{0,20} (load|get) credentials|no AWS credentials", NO_CREDENTIALS),
    ("NoSuchBucket|bucket does not exist", "there is no such bucket: make it, or correct the address"),
    (
        f"{_REFUSED}|401 Unauthorized|Unauthenticated|RequestTimeTooSkewed",
        f"the store does not accept the credentials, or they have expired: renew {KEYS_AT}",
    ),
    (
        "AccessDenied|403 Forbidden|ACCESS_DENIED|HTTP status 403|Permission ?Denied",
        "the credentials do not allow this: let them list, read, write and delete there",
    ),
    (
        "PermanentRedirect|AuthorizationHeaderMalformed|301 Moved|IllegalLocationConstraint",
        "the bucket is in another region: set AWS_REGION",
    ),
    ("dns error|failed to lookup|Could( not|n't) resolve", "its host is unknown: correct AWS_ENDPOINT_URL"),
    (
        r"\b50[0234]\b|\b429\b|SlowDown|ServiceUnavailable|InternalError|SLOW_DOWN|SERVICE_UNAVAILABLE",
        _FAILED,
    ),
    (
        f"{_AWAY}|NETWORK_CONNECTION|connection (reset|closed)|incomplete message",
        _AWAY_SAID,
    ),
)
_COLOURED = re.compile(r"\x1b\[[0-9;]*m|↳")
_TAGS = re.compile(r"<(AWSAccessKeyId|StringToSign\w*|SignatureProvided|CanonicalRequest\w*)>.*?</\1>", re.DOTALL)
_SIGNED = re.compile(r"(?i)(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s]+|(?<=://)[^/\s@]+@")
_LONGEST = 300


@contextmanager
def translated(action: str, kind: type[SparkmlError], settings: ObjectSettings, way_out: str = "") -> Iterator[None]:
    """Raises an error of ours for one of a client's.

    The cause is left out: its text may hold what must not be seen.

    Args:
        action: what was done, as the subject of the sentence.
        kind: what is raised.
        settings: how the store was reached.
        way_out: comes last in the sentence.

    Raises:
        SparkmlError: of the kind.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, SparkmlError) or not _is_foreign(error):
            raise
        what = reason(error) or without_secrets(str(error), settings)
        at = f" ({settings.endpoint})" if settings.endpoint else ""
        raise kind(f"{action} failed{at}: {what}{f'. {way_out}' if way_out else ''}") from None


def may_pass(error: SparkmlError) -> bool:
    """Whether what ``translated`` raised may be over soon: the store is away or failing, and does not refuse."""
    return _FAILED in str(error) or _AWAY_SAID in str(error)


def reason(error: BaseException) -> str:
    """What went wrong between us and the store, and the way out; empty for anything else."""
    text = " ".join(_COLOURED.sub(" ", str(error)).split())
    return next((said for pattern, said in _REASONS if re.search(pattern, text, re.IGNORECASE)), "")


def without_secrets(text: str, settings: ObjectSettings) -> str:
    """The beginning of a foreign message, in one line, without credentials and what is made of them."""
    text = _SIGNED.sub(lambda found: f"{found[1] or ''}***", _TAGS.sub("", _COLOURED.sub(" ", text)))
    for secret in settings.secrets:
        text = text.replace(secret, "***")
    return " ".join(text.split())[:_LONGEST]


def _is_foreign(error: Exception) -> bool:
    ours = isinstance(error, OSError | ValueError) or type(error) is Exception
    return ours or type(error).__module__.split(".")[0] in {"obstore", "deltalake", "_internal", "pyarrow"}
