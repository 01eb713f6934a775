"""Texts as obstore 0.12 and versitygw 1.8 wrote them, and what each means."""

from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.exceptions import (
    AlreadyExistsError,
    GenericError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from trainjobs.errors import AccessDenied, InvalidRecipe, StorageUnavailable, StorageUnusable
from trainjobs.storage.s3_errors import explain
from trainjobs.storage.s3_words import Place
from trainjobs.storage.store import AlreadyExists, ObjectNotFound

PLACE = Place("bucket", "http://127.0.0.1:7070", "the environment (AWS_ACCESS_KEY_ID)", "us-east-1")


def answered(status: int, code: str = "") -> str:
    body = (
        f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>words</Message></Error>' if code else ""
    )
    return (
        "Generic S3 error: Error performing PUT http://127.0.0.1:7070/bucket/run/x in 5ms - "
        f"Server returned non-2xx status code: {status} Words: {body}\n\nDebug source:\nGeneric {{}}"
    )


def unreachable(cause: str) -> str:
    return (
        "Generic S3 error: Error performing GET http://127.0.0.1:7070/bucket in 1s, after 3 retries, "
        f"max_retries: 3, retry_timeout: 30s  - HTTP error: error sending request\n\nDebug source:\n{cause}"
    )


def no_keys(kind: str, words: str) -> str:
    return (
        "The operation lacked valid authentication credentials for path "
        f"External AWS credential provider: {kind}: {words}\n\nDebug source:\nUnauthenticated {{}}"
    )


CALLED = "when calling the AssumeRoleWithWebIdentity operation"
REFUSED = f"An error occurred (AccessDenied) {CALLED}: Not authorized"
BUSY = f"An error occurred (Throttling) {CALLED}: Rate exceeded"


@pytest.mark.parametrize(
    ("raised", "error", "message", "transient"),
    [
        (AlreadyExistsError(answered(412)), AlreadyExists, "exists already", False),
        (FileNotFoundError(answered(404, "NoSuchKey")), ObjectNotFound, "not found", False),
        (FileNotFoundError(answered(404)), ObjectNotFound, "not found", False),
        (FileNotFoundError(answered(404, "NoSuchBucket")), StorageUnusable, "no bucket 'bucket'", False),
        (FileNotFoundError(answered(404, "XAdminUserNotFound")), AccessDenied, "access denied", False),
        (PermissionDeniedError(answered(403)), AccessDenied, "keys come from the environment", False),
        (GenericError(answered(403, "SignatureDoesNotMatch")), AccessDenied, "SignatureDoesNotMatch", False),
        (GenericError(answered(400, "ExpiredToken")), AccessDenied, "ExpiredToken", False),
        (GenericError(answered(400, "InvalidBucketName")), InvalidRecipe, "cannot be a bucket's name", False),
        (GenericError(answered(507, "InsufficientStorage")), StorageUnusable, "storage is full", False),
        (GenericError(answered(403, "QuotaExceeded")), StorageUnusable, "storage is full", False),
        (GenericError(answered(501, "NotImplemented")), InvalidRecipe, "501 NotImplemented: words (w", False),
        (GenericError(answered(400, "BadDigest")), StorageUnavailable, "answered 400 BadDigest: words", True),
        (GenericError(answered(400, "InvalidRequest")), InvalidRecipe, "400 InvalidRequest: words", False),
        (GenericError(answered(400)), InvalidRecipe, "answered 400 (writing", False),
        (PreconditionError(answered(412)), StorageUnusable, "answered 412", False),
        (AlreadyExistsError(answered(409, "OperationAborted")), StorageUnavailable, "answered 409", True),
        (FileNotFoundError(answered(404, "NoSuchUpload")), StorageUnavailable, "404 NoSuchUpload", True),
        (GenericError(answered(400, "RequestTimeout")), StorageUnavailable, "400 RequestTimeout", True),
        (GenericError(answered(503, "SlowDown")), StorageUnavailable, "answered 503 SlowDown", True),
        (GenericError(answered(500)), StorageUnavailable, "answered 500", True),
        (GenericError(answered(429)), StorageUnavailable, "answered 429", True),
        (GenericError(unreachable("Connection refused")), StorageUnavailable, "connection refused", True),
        (GenericError(unreachable("dns error")), StorageUnavailable, "does not resolve", True),
        (GenericError(unreachable("TimedOut")), StorageUnavailable, "no answer in time", True),
        (GenericError(unreachable("UnknownIssuer")), StorageUnusable, "AWS_CA_BUNDLE", False),
        (UnauthenticatedError(no_keys("ClientError", REFUSED)), AccessDenied, "whom it trusts", False),
        (UnauthenticatedError(no_keys("ClientError", BUSY)), StorageUnavailable, "(Throttling)", True),
        (UnauthenticatedError(no_keys("FileNotFoundError", "x")), AccessDenied, "no keys from", False),
        (UnauthenticatedError(no_keys("ConnectTimeoutError", "x")), StorageUnavailable, "no keys from", True),
        (GenericError(unreachable("?")), StorageUnavailable, "error sending request", True),
    ],
)
def test_what_a_server_says_is_told_in_one_line(
    raised: Exception, error: type[Exception], message: str, transient: bool
):
    refusal = explain(raised, PLACE, "writing run/x")
    line = str(refusal.error)
    assert type(refusal.error) is error
    assert message in line
    assert line.startswith("s3://bucket at http://127.0.0.1:7070: ")
    assert "\n" not in line
    assert refusal.transient is transient
    # A run waits for the one without end: for what waiting may mend.
    assert (type(refusal.error) is StorageUnavailable) is transient


@pytest.mark.parametrize("doing", ["creating run/x", "writing run/x"])
def test_only_where_conditions_are_the_matter_a_store_is_said_to_lack_them(doing: str):
    line = str(explain(GenericError(answered(501, "NotImplemented")), PLACE, doing).error)
    assert ("conditional writes (If-None-Match)" in line) is doing.startswith("creating")


# Where a status means something by itself, whatever is said with it.
_MEANT = {401, 403, 404, 408, 412, 425, 429, 501, 507}
WORDS = st.text(st.characters(exclude_categories=["C"], max_codepoint=0x2FFF), max_size=80)


@given(st.integers(400, 599).filter(lambda status: status not in _MEANT), WORDS, st.booleans())
def test_any_answer_is_one_line_with_its_words_and_tried_again_only_where_the_server_is_at_fault(
    status: int, words: str, named: bool
):
    code = "<Code>NobodyKnowsThis</Code>" if named else ""
    body = f"<Error>{code}<Message>{escape(words)}</Message></Error>"
    text = f"Server returned non-2xx status code: {status} Words: {body}\n\nDebug source:\nGeneric {{}}"
    refusal = explain(GenericError(text), PLACE, "writing run/x")
    line = str(refusal.error)
    assert "\n" not in line
    assert line.startswith(f"s3://bucket at http://127.0.0.1:7070: answered {status}")
    assert " ".join(words.split()).rstrip(".") in line
    assert refusal.transient is (status >= 500)
    assert type(refusal.error) is (StorageUnavailable if refusal.transient else InvalidRecipe)
