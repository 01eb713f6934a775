"""What an S3 server's refusal means, in one line.

obstore folds most answers into one error type, and its text holds the HTTP status, the server's XML
and the chain of causes; this reads them back. Verified against versitygw 1.8, and against what AWS, MinIO,
Ceph, GCS, R2 and B2 are known to answer (`tests/harness/s3_dialects.py`).
"""

import re

from trainjobs.errors import AccessDenied, InvalidRecipe, StorageUnavailable, StorageUnusable
from trainjobs.storage.s3_network import explain_network, sent_on, speaks_only_tls
from trainjobs.storage.s3_questions import NotAsked, Questions
from trainjobs.storage.s3_words import ENDPOINT, REGION, Place, Refusal, Said
from trainjobs.storage.store import AlreadyExists, ObjectNotFound

_KEYS = {
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "XAdminUserNotFound",
}
_CLOCK = {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "XMinioAdminBucketQuotaExceeded"}
_REGION = {
    "IllegalLocationConstraintException",
    "IncorrectEndpoint",
    "InvalidRegionName",
    "PermanentRedirect",
    "WrongRegion",
}
# Codes that others share, and the words by which a wrong region is known among them.
_REGION_WORDS = re.compile(r"\bregion\b.*\b(wrong|expecting|valid|incorrect)\b|valid region", re.I)
_MAY_BE_REGION = {
    "AuthorizationHeaderMalformed",
    "InvalidArgument",
    "InvalidRequest",
    "SignatureDoesNotMatch",
}
_EXPECTED = re.compile(r"<Region>([A-Za-z0-9-]{1,60})</Region>|expecting '([A-Za-z0-9-]{1,60})'")
# Answers that another try may mend, though their status says that the request is at fault.
_PASSING = {
    "BadDigest",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "InvalidPart",
    "NoSuchUpload",
    "OperationAborted",
    "RequestTimeout",
    "SlowDown",
    "XAmzContentSHA256Mismatch",
}
_BUSY = {408, 425, 429}
_SPEAKS_TLS = re.compile(r"HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port", re.I)
_WRONG_PORT = re.compile(r"S3 API Requests? (must be )?made to (Console|API) port")
_NOBODY = NotAsked()
LISTING = "listing"
CREATING = "creating"
"""How the words for what is done begin, where it is a listing, and where it is a conditional write."""
# What object_store makes of a 301: it keeps neither the status nor the answer.
_REDIRECTED = "redirect without LOCATION"


def explain(error: Exception, place: Place, doing: str, ask: Questions = _NOBODY) -> Refusal:
    """Return what an exception of obstore means for `doing` something at `place`.

    Args:
        ask: asks the server itself where its answer leaves open what would be right.
    """
    said = Said.read(str(error))
    where = str(place)
    if type(error).__name__ == "InvalidPathError":
        return _no_path(said, where, doing)
    if type(error).__name__ == "AlreadyExistsError" and said.code not in _PASSING:
        return Refusal(AlreadyExists(f"{where}: exists already ({doing})"), transient=False)
    if said.code in _REGION or _REDIRECTED in said.text or _is_region(said):
        return _wrong_region(said, place, doing, ask)
    if said.status is None:
        return explain_network(said.text, place, doing, ask)
    return _by_code(said, place, doing) or _by_status(error, said, place, doing, ask)


def _by_code(said: Said, place: Place, doing: str) -> Refusal | None:
    where, code = str(place), said.code
    if code == "NoSuchBucket":
        missing = f"{where}: there is no bucket {place.bucket!r}; make it, or correct the storage URI"
        return Refusal(StorageUnusable(missing), transient=False)
    if code == "InvalidBucketName":
        invalid = f"{where}: {place.bucket!r} cannot be a bucket's name; correct the storage URI"
        return Refusal(InvalidRecipe(invalid), transient=False)
    if code in _CLOCK:
        # Another machine's clock may be right, so another attempt may help; waiting does not.
        skewed = f"{where}: {said.words} ({doing}); set this machine's clock right{said.server_time}"
        return Refusal(StorageUnusable(skewed), transient=False)
    if code == "InvalidObjectState":
        archived = f"{where}: {said.words} ({doing}); the object is in an archive: restore it first"
        return Refusal(InvalidRecipe(archived), transient=False)
    if code in _PASSING:
        return Refusal(StorageUnavailable(f"{where}: answered {said.words} ({doing})"), transient=True)
    return None


def _by_status(error: Exception, said: Said, place: Place, doing: str, ask: Questions) -> Refusal:
    where, status = str(place), said.status
    assert status is not None
    # Ceph says 403 of a quota.
    if said.code in _FULL or status == 507:
        return Refusal(StorageUnusable(f"{where}: storage is full ({doing})"), transient=False)
    if _WRONG_PORT.search(said.message):
        console = f"{where}: answered {said.words} ({doing}); {ENDPOINT} must have the API's port"
        return Refusal(InvalidRecipe(console), transient=False)
    if said.code in _KEYS or status in (401, 403):
        return sent_on(place, doing, ask) or Refusal(_denied(said, place, doing), transient=False)
    if status == 404 and doing.startswith(LISTING):
        # Where a bucket is, a listing of nothing is empty: whoever says 404 to it is no server of S3.
        nobody = f"{where}: answered {said.words} ({doing}); {ENDPOINT} must be the server's own address"
        return Refusal(InvalidRecipe(f"{nobody}, without the bucket"), transient=False)
    if isinstance(error, FileNotFoundError) or status == 404:
        return Refusal(ObjectNotFound(f"{where}: not found ({doing})"), transient=False)
    if _SPEAKS_TLS.search(said.text):
        return speaks_only_tls(place, doing)
    answered = f"{where}: answered {said.words} ({doing})"
    if (status >= 500 and status != 501) or status in _BUSY:
        return Refusal(StorageUnavailable(answered), transient=True)
    if status == 412:
        # Somebody else wrote in between: asked anew, the question may have another answer.
        return Refusal(StorageUnusable(answered), transient=False)
    if status == 501 and (doing.startswith(CREATING) or "If-None-Match" in said.text):
        answered += f"; trainjobs needs a store with conditional writes (If-None-Match): correct {ENDPOINT}"
    return Refusal(InvalidRecipe(answered), transient=False)


def _is_region(said: Said) -> bool:
    return said.code in _MAY_BE_REGION and bool(_REGION_WORDS.search(said.message))


def _wrong_region(said: Said, place: Place, doing: str, ask: Questions) -> Refusal:
    found = _EXPECTED.search(said.text)
    expected = (found[1] or found[2]) if found else ask.region()
    is_in = (
        f"the bucket is in region {expected!r}, not" if expected and expected != place.region else "not in"
    )
    fields = f"{REGION} and {ENDPOINT}" if _endpoint_is_wrong(said, place) else REGION
    words = said.words or "301 without an address to go to"
    return Refusal(
        InvalidRecipe(f"{place}: {is_in} {place.region!r}; correct {fields}: {words} ({doing})"),
        transient=False,
    )


def _endpoint_is_wrong(said: Said, place: Place) -> bool:
    """Whether the server, and not only the signature, is of another region."""
    of_server = _REDIRECTED in said.text or said.code in {
        "PermanentRedirect",
        "IllegalLocationConstraintException",
    }
    return of_server and "://" in place.endpoint


def _no_path(said: Said, where: str, doing: str) -> Refusal:
    key = f"the key '{said.key}'" if said.key else "a key"
    holds = f"{where}: holds {key}, which cannot be the path of a file ({doing})"
    return Refusal(InvalidRecipe(f"{holds}; rename or delete that object"), transient=False)


def _denied(said: Said, place: Place, doing: str) -> AccessDenied:
    return AccessDenied(
        f"{place}: access denied ({said.words}, {doing}); the keys come from {place.keys_from}: "
        "check them and what they may do"
    )
