"""What an S3 server's refusal means, in one line.

obstore folds most answers into one error type, and its text holds the HTTP status, the server's XML
and the chain of causes; this reads them back. Verified against versitygw 1.8 and AWS's list of codes.
"""

import re
from dataclasses import dataclass

from trainjobs.errors import AccessDenied, InvalidRecipe, StorageUnavailable, TrainjobsError
from trainjobs.storage.store import AlreadyExists, ObjectNotFound

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,100})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,300})</Message>")
# An error of botocore's, which gives the keys: its type and its words.
_GIVES_NO_KEYS = re.compile(r"External AWS credential provider: (\w+): (.{1,300})")
# What asking again does not mend: an answer of the token service's, unless it is busy; and mistakes here.
_TOKEN_SERVICE_SAYS = re.compile(r"An error occurred \((\w+)\)")
_TOKEN_SERVICE_BUSY = re.compile(r"Throttling\w*|IDPCommunicationError|Internal\w+|ServiceUnavailable|5\d\d")
_MISTAKES = {"FileNotFoundError", "NoCredentialsError", "ParamValidationError", "PermissionError"}
_KEYS = {
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "XAdminUserNotFound",
}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "XMinioAdminBucketQuotaExceeded"}
_BUSY = {408, 425, 429}
# A certificate that is not trusted now will not be in a minute.
_NOT_TRUSTED = ("UnknownIssuer", "invalid peer certificate")
# The cause as the network library writes it, and as a person would.
_CAUSES = (
    ("UnknownIssuer", "its certificate is not trusted; name the CA's file in AWS_CA_BUNDLE"),
    ("invalid peer certificate", "its certificate is not valid for this address"),
    ("dns error", "its name does not resolve"),
    ("Connection refused", "connection refused"),
    ("ConnectionRefused", "connection refused"),
    ("unreachable", "no route to it"),
    ("TimedOut", "no answer in time"),
    ("timed out", "no answer in time"),
    ("ConnectionReset", "the connection was cut"),
    ("IncompleteMessage", "the connection was cut"),
    ("UnexpectedEof", "the connection was cut"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request went, for messages: never a key itself."""

    bucket: str
    endpoint: str
    keys_from: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The error to raise, and whether trying again may help."""

    error: TrainjobsError
    transient: bool


def explain(error: Exception, place: Place, doing: str) -> Refusal:
    """Return what an exception of obstore means for `doing` something at `place`."""
    text = str(error)
    status = int(match[1]) if (match := _STATUS.search(text)) else None
    code = match[1] if (match := _CODE.search(text)) else ""
    where = f"s3://{place.bucket} at {place.endpoint}"
    if type(error).__name__ == "AlreadyExistsError":
        return Refusal(AlreadyExists(f"{where}: exists already ({doing})"), transient=False)
    if status is None and (no_keys := _GIVES_NO_KEYS.search(text)):
        return _without_keys(no_keys[1], no_keys[2], where, place, doing)
    if status is None:
        away = f"{where}: cannot be reached: {_cause(text)} ({doing})"
        return Refusal(StorageUnavailable(away), transient=not any(one in text for one in _NOT_TRUSTED))
    if code == "NoSuchBucket":
        missing = f"{where}: there is no bucket {place.bucket!r}; make it, or correct the storage URI"
        return Refusal(StorageUnavailable(missing), transient=False)
    if code == "InvalidBucketName":
        invalid = f"{where}: {place.bucket!r} cannot be a bucket's name; correct the storage URI"
        return Refusal(InvalidRecipe(invalid), transient=False)
    if code in _KEYS or status in (401, 403):
        return Refusal(_denied(status, code, where, place, doing), transient=False)
    if code in _FULL or status == 507:
        return Refusal(StorageUnavailable(f"{where}: storage is full ({doing})"), transient=False)
    if isinstance(error, FileNotFoundError) or status == 404:
        return Refusal(ObjectNotFound(f"{where}: not found ({doing})"), transient=False)
    said = f"{where}: answered {status} {code or _said(text)} ({doing})"
    if code == "NotImplemented" or status == 501:
        needs = f"{said}; trainjobs needs a server with conditional writes (If-None-Match)"
        return Refusal(StorageUnavailable(needs), transient=False)
    return Refusal(StorageUnavailable(said), transient=status >= 500 or status in _BUSY)


def _denied(status: int, code: str, where: str, place: Place, doing: str) -> AccessDenied:
    return AccessDenied(
        f"{where}: access denied ({code or status}, {doing}); the keys come from {place.keys_from}: "
        "check them and what they may do"
    )


def _without_keys(kind: str, words: str, where: str, place: Place, doing: str) -> Refusal:
    none = f"{where}: no keys from {place.keys_from}: {words} ({doing})"
    said = _TOKEN_SERVICE_SAYS.match(words)
    if kind in _MISTAKES or (said and not _TOKEN_SERVICE_BUSY.fullmatch(said[1])):
        return Refusal(AccessDenied(f"{none}; check the role, and whom it trusts"), transient=False)
    return Refusal(StorageUnavailable(none), transient=True)


def _said(text: str) -> str:
    return match[1] if (match := _MESSAGE.search(text)) else ""


def _cause(text: str) -> str:
    for needle, words in _CAUSES:
        if needle in text:
            return words
    return text.split("\n", 1)[0].rsplit(" - ", 1)[-1][:200]
