"""What a store refuses is said in its own words, with the field to correct, and is not tried again."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.harness import s3_dialects as dialects
from tests.harness.s3_in_memory import Answer, Deviation, S3InMemory, s3_in_memory
from tests.harness.tls import make_certificate
from tests.harness.versitygw import S3Server, s3_server
from trainjobs.errors import AccessDenied, InvalidRecipe, StorageUnusable, TrainjobsError
from trainjobs.storage.opening import open_store


@dataclass(frozen=True)
class Case:
    """One store in one situation, and what is said of it."""

    store: str
    deviation: Deviation
    error: type[TrainjobsError]
    words: tuple[str, ...]


REGION = "spec.checkpoints.storage.region (AWS_REGION)"
ENDPOINT = "spec.checkpoints.storage.endpoint (AWS_ENDPOINT_URL)"

REFUSED = {
    "another region's endpoint": Case(
        "AWS",
        dialects.redirects("eu-central-1"),
        InvalidRecipe,
        (f"the bucket is in region 'eu-central-1', not 'us-east-1'; correct {REGION} and {ENDPOINT}",),
    ),
    "signed for another region": Case(
        "AWS, MinIO",
        dialects.wants_region("us-east-2"),
        InvalidRecipe,
        (
            f"the bucket is in region 'us-east-2', not 'us-east-1'; correct {REGION}: ",
            "400 AuthorizationHeaderMalformed: The authorization header is malformed; the region 'us-east-1' "
            "is wrong; expecting 'us-east-2'",
        ),
    ),
    "signed for another region, named in words only": Case(
        "Ceph, Swift",
        dialects.wants_region("eu-nl-1", names_it=False),
        InvalidRecipe,
        ("the bucket is in region 'eu-nl-1', not 'us-east-1'",),
    ),
    "a region to opt into": Case(
        "AWS",
        dialects.location_constraint("eu-south-1"),
        InvalidRecipe,
        (REGION, "The eu-south-1 location constraint is incompatible for the region specific endpoint"),
    ),
    "a region that it does not know": Case(
        "R2",
        dialects.knows_regions(["weur", "auto"]),
        InvalidRecipe,
        (REGION, "InvalidRegionName: The region name 'us-east-1' is not valid. Must be one of: weur, auto"),
    ),
    "a clock that is wrong": Case(
        "AWS",
        dialects.always(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            more="<ServerTime>2026-11-28T12:00:00Z</ServerTime>",
        ),
        StorageUnusable,
        (
            "403 RequestTimeTooSkewed: The difference between the request time and the current time is too ",
            "set this machine's clock right (the server's says 2026-11-28T12:00:00Z)",
        ),
    ),
    "keys that may not": Case(
        "AWS",
        dialects.always(
            403, "AccessDenied", "User: arn:aws:iam::1:user/x is not authorized to perform: s3:List"
        ),
        AccessDenied,
        (
            "403 AccessDenied: User: arn:aws:iam::1:user/x is not authorized to perform: s3:List",
            "keys come from",
        ),
    ),
    "an empty access key": Case(
        "AWS",
        dialects.always(
            400,
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; a non-empty Access Key (AKID) must be provided.",
        ),
        AccessDenied,
        ("a non-empty Access Key (AKID) must be provided", "keys come from"),
    ),
    "a header that it does not know": Case(
        "B2",
        dialects.always(
            400, "InvalidArgument", "Unsupported header 'x-amz-checksum-sha256' received for this API call."
        ),
        InvalidRecipe,
        ("400 InvalidArgument: Unsupported header 'x-amz-checksum-sha256' received for this API call",),
    ),
    "no server of S3": Case(
        "a web server",
        dialects.always(
            405, "MethodNotAllowed", "The specified method is not allowed against this resource."
        ),
        InvalidRecipe,
        ("405 MethodNotAllowed: The specified method is not allowed against this resource",),
    ),
    "an endpoint with the bucket in it": Case(
        "R2",
        dialects.always(404, "NoSuchKey", "The specified key does not exist."),
        InvalidRecipe,
        (
            "404 NoSuchKey: The specified key does not exist",
            f"{ENDPOINT} must be the server's own address, without the bucket",
        ),
    ),
    "a page that is not there": Case(
        "a web server", lambda _: Answer(404, b"<html>Not Found</html>"), InvalidRecipe, (ENDPOINT,)
    ),
    "its console's port": Case(
        "MinIO",
        dialects.always(403, "AccessDenied", "S3 API Requests must be made to API port."),
        InvalidRecipe,
        ("S3 API Requests must be made to API port", f"{ENDPOINT} must have the API's port"),
    ),
    "plain HTTP to TLS": Case(
        "MinIO",
        lambda _: Answer(400, b"Client sent an HTTP request to an HTTPS server.\n"),
        InvalidRecipe,
        (f"speaks TLS only (listing); {ENDPOINT} must begin with https://",),
    ),
    "plain HTTP to TLS behind nginx": Case(
        "Ceph",
        lambda _: Answer(400, b"<center>The plain HTTP request was sent to HTTPS port</center>"),
        InvalidRecipe,
        ("speaks TLS only",),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_mended_by_trying_again_is_said_once_in_the_servers_words(server: S3InMemory, name: str):
    case = REFUSED[name]
    server.deviations = (case.deviation,)
    with pytest.raises(TrainjobsError) as caught:
        server.open("s3://b/runs")
    line = str(caught.value)
    assert type(caught.value) is case.error, line
    assert line.startswith(f"s3://b at {server.endpoint}: ")
    assert "\n" not in line
    for words in case.words:
        assert words in line
    # What the server is asked about itself is not signed.
    assert len([request for request in server.asked if request.region]) == 1


PASSING = {
    "AWS": dialects.always(503, "SlowDown", "Please reduce your request rate."),
    "GCS": dialects.always(429, "SlowDown", "Please reduce your request rate."),
    "AWS, of a slow upload": dialects.always(
        400,
        "RequestTimeout",
        "Your socket connection to the server was not read from or written to within the time.",
    ),
    "Ceph": dialects.always(500, "InternalError", "We encountered an internal error. Please try again."),
    "AWS, of two creators": dialects.always(
        409,
        "ConditionalRequestConflict",
        "The conditional request cannot succeed due to a conflicting operation.",
    ),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_tried_again(server: S3InMemory, name: str):
    store = server.open("s3://b/runs")
    server.deviations = (dialects.times(3, PASSING[name]),)
    store.create("x", b"1")
    assert store.get("x") == b"1"


def test_an_archived_object_is_said_to_be_one_and_not_blamed_on_keys(server: S3InMemory, tmp_path: Path):
    store = server.open("s3://b/runs")
    store.put("weights", b"1")
    server.deviations = (dialects.archived,)
    with pytest.raises(InvalidRecipe) as caught:
        store.get_file("weights", str(tmp_path / "weights"))
    line = str(caught.value)
    assert "403 InvalidObjectState: The operation is not valid for the object's storage class" in line
    assert "restore it first" in line
    assert "keys" not in line


def test_https_for_a_server_of_plain_http_is_said_at_once(server: S3InMemory):
    tls = replace(server.settings, endpoint=server.endpoint.replace("http:", "https:"))
    with pytest.raises(InvalidRecipe, match="does not speak TLS") as caught:
        open_store("s3://b/runs", settings=tls)
    assert f"{ENDPOINT} must begin with http://" in str(caught.value)


def test_plain_http_for_a_server_of_tls_is_said_though_it_only_hangs_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with s3_server(tmp_path / "buckets", make_certificate(tmp_path)) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        plain = replace(server.settings, endpoint=server.endpoint.replace("https:", "http:"))
        with pytest.raises(InvalidRecipe, match="speaks TLS only") as caught:
            open_store(server.make_bucket("tls"), settings=plain)
    assert f"{ENDPOINT} must begin with https://" in str(caught.value)


@pytest.mark.parametrize("trusted", ["trusted", "not trusted"])
def test_an_ingress_that_sends_plain_http_to_tls_is_not_taken_for_keys_that_are_refused(
    server: S3InMemory, tmp_path: Path, trusted: str
):
    tls = make_certificate(tmp_path)
    with s3_in_memory(dialects.signed_only, tls=tls) as behind:
        behind.make_bucket("b")
        server.deviations = (dialects.sends_to(behind.endpoint),)
        bundle = str(tls.authority) if trusted == "trusted" else None
        with pytest.raises(InvalidRecipe) as caught:
            open_store("s3://b/runs", settings=replace(server.settings, ca_bundle=bundle))
    assert f"sends everybody to {behind.endpoint} (listing); {ENDPOINT} must be that" in str(caught.value)


def test_a_real_server_tells_its_region(s3_environment: S3Server):
    elsewhere = replace(s3_environment.settings, region="eu-central-1")
    with pytest.raises(InvalidRecipe) as caught:
        open_store(s3_environment.make_bucket("region"), settings=elsewhere)
    assert f"the bucket is in region 'us-east-1', not 'eu-central-1'; correct {REGION}: " in str(caught.value)
