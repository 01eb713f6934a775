"""Why there was no answer from an S3 server: the network, its certificate, or nobody who gives keys."""

import re

from trainjobs.errors import AccessDenied, InvalidRecipe, StorageUnavailable, StorageUnusable
from trainjobs.storage.s3_questions import Questions
from trainjobs.storage.s3_words import ENDPOINT, Place, Refusal

# An error of botocore's, which gives the keys: its type and its words.
_GIVES_NO_KEYS = re.compile(r"External AWS credential provider: (\w+): (.{1,300})")
# What asking again does not mend: an answer of the token service's, unless it is busy; and mistakes here.
_TOKEN_SERVICE_SAYS = re.compile(r"An error occurred \((\w+)\)")
_TOKEN_SERVICE_BUSY = re.compile(r"Throttling\w*|IDPCommunicationError|Internal\w+|ServiceUnavailable|5\d\d")
_MISTAKES = {"FileNotFoundError", "NoCredentialsError", "ParamValidationError", "PermissionError"}
# A certificate that is not trusted now will not be in a minute.
_NOT_TRUSTED = ("UnknownIssuer", "invalid peer certificate")
# What rustls makes of the first bytes of a server that does not speak TLS.
_SPEAKS_NO_TLS = ("InvalidContentType",)
_CUT = "the connection was cut"
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
    ("ConnectionReset", _CUT),
    ("IncompleteMessage", _CUT),
    ("UnexpectedEof", _CUT),
)


def explain_network(text: str, place: Place, doing: str, ask: Questions) -> Refusal:
    """Return what an exception of obstore without an answer in it means."""
    if no_keys := _GIVES_NO_KEYS.search(text):
        return _without_keys(no_keys[1], no_keys[2], place, doing)
    if any(one in text for one in _SPEAKS_NO_TLS):
        plain = f"{place}: does not speak TLS ({doing}); {ENDPOINT} must begin with http://"
        return Refusal(InvalidRecipe(plain), transient=False)
    cause = _cause(text)
    if cause == _CUT and ask.speaks_tls():
        return speaks_only_tls(place, doing)
    untrusted = any(one in text for one in _NOT_TRUSTED)
    if untrusted and (refusal := sent_on(place, doing, ask)):
        return refusal
    away = f"{place}: cannot be reached: {cause} ({doing})"
    if untrusted:
        return Refusal(StorageUnusable(away), transient=False)
    return Refusal(StorageUnavailable(away), transient=True)


def speaks_only_tls(place: Place, doing: str) -> Refusal:
    """Return what is said of plain HTTP to a server of TLS."""
    plain = f"{place}: speaks TLS only ({doing}); {ENDPOINT} must begin with https://"
    return Refusal(InvalidRecipe(plain), transient=False)


def sent_on(place: Place, doing: str, ask: Questions) -> Refusal | None:
    """Return what is said where a server of plain HTTP only sends to one of TLS, None where it does not."""
    address = ask.sends_to()
    if not address:
        return None
    sent = f"{place}: sends everybody to {address} ({doing}); {ENDPOINT} must be that address"
    return Refusal(InvalidRecipe(sent), transient=False)


def _without_keys(kind: str, words: str, place: Place, doing: str) -> Refusal:
    none = f"{place}: no keys from {place.keys_from}: {words} ({doing})"
    said = _TOKEN_SERVICE_SAYS.match(words)
    if kind in _MISTAKES or (said and not _TOKEN_SERVICE_BUSY.fullmatch(said[1])):
        return Refusal(AccessDenied(f"{none}; check the role, and whom it trusts"), transient=False)
    return Refusal(StorageUnavailable(none), transient=True)


def _cause(text: str) -> str:
    for needle, words in _CAUSES:
        if needle in text:
            return words
    return text.split("\n", 1)[0].rsplit(" - ", 1)[-1][:200]
