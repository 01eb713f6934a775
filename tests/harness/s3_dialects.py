"""How stores that call themselves S3 deviate from it: what each is known to answer, word for word.

Sources: AWS's list of error codes and of redirections; MinIO's and Ceph's own code; Google's pages on
migrating from S3; Cloudflare's and Backblaze's pages on their S3 APIs; and what people posted who met them.
"""

from collections.abc import Collection

from tests.harness.s3_in_memory import Answer, Deviation, Request, refused

R2_REGIONS = ("wnam", "enam", "weur", "eeur", "apac", "oc", "auto", "us-east-1", "")


def redirects(region: str) -> Deviation:
    """AWS, where the endpoint is of another region than the bucket: it gives no Location to follow."""

    def answer(request: Request) -> Answer:
        return refused(
            301,
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified endpoint. "
            "Please send all future requests to this endpoint.",
            more=f"<Endpoint>s3.{region}.amazonaws.com</Endpoint><Bucket>{request.bucket}</Bucket>",
            headers={"x-amz-bucket-region": region},
        )

    return answer


def wants_region(region: str, *, names_it: bool = True) -> Deviation:
    """AWS and MinIO, where a request is signed for another region; some name it in the sentence only."""

    def answer(request: Request) -> Answer | None:
        if request.region in ("", region):
            return None
        message = f"the region '{request.region}' is wrong; expecting '{region}'"
        more = f"<Region>{region}</Region>" if names_it else ""
        said = f"The authorization header is malformed; {message}"
        return refused(400, "AuthorizationHeaderMalformed", said, more=more)

    return answer


def location_constraint(region: str) -> Deviation:
    """AWS, at the endpoints of regions that an account must opt into."""
    message = f"The {region} location constraint is incompatible for the region specific endpoint"
    return always(400, "IllegalLocationConstraintException", f"{message} this request was sent to.")


def knows_regions(names: Collection[str]) -> Deviation:
    """R2, which has a few of its own."""

    def answer(request: Request) -> Answer | None:
        if request.region in names:
            return None
        allowed = ", ".join(name for name in names if name)
        message = f"The region name '{request.region}' is not valid. Must be one of: {allowed}"
        return refused(400, "InvalidRegionName", message)

    return answer


def always(status: int, code: str, message: str, *, more: str = "") -> Deviation:
    """One answer to everything."""
    return lambda _: refused(status, code, message, more=more)


def times(count: int, deviation: Deviation) -> Deviation:
    """A deviation that passes after some requests."""
    left = [count]

    def answer(request: Request) -> Answer | None:
        left[0] -= 1
        return deviation(request) if left[0] >= 0 else None

    return answer


def archived(request: Request) -> Answer | None:
    """AWS, of objects in GLACIER: they are listed, and their size is told, but they cannot be read."""
    if request.method != "GET" or request.lists:
        return None
    message = "The operation is not valid for the object's storage class"
    return refused(403, "InvalidObjectState", message, more="<StorageClass>GLACIER</StorageClass>")


def may_not_delete(request: Request) -> Answer | None:
    """AWS, of keys whose policy leaves out s3:DeleteObject: of several, it says so inside of a success."""
    said = "User: arn:aws:iam::123456789012:user/trainer is not authorized to perform: s3:DeleteObject"
    if request.method == "DELETE":
        return refused(403, "AccessDenied", said)
    if "delete" in request.query:
        error = f"<Error><Key>x</Key><Code>AccessDenied</Code><Message>{said}</Message></Error>"
        return Answer(200, f"<DeleteResult>{error}</DeleteResult>".encode())
    return None


def deletes_with_md5_only(request: Request) -> Answer | None:
    """MinIO and AWS itself: several at once only with the MD5 of the list, which few clients still send."""
    if "delete" not in request.query or "content-md5" in request.headers:
        return None
    return refused(400, "MissingContentMD5", "Missing required header for this request: Content-Md5.")


def deletes_singly(request: Request) -> Answer | None:
    """GCS: no several at once."""
    if "delete" in request.query:
        details = "<Details>Cannot create buckets using a POST.</Details>"
        return refused(400, "InvalidArgument", "Invalid argument.", more=details)
    return None


def knows_no_condition(request: Request) -> Answer | None:
    """B2, OSS and others: a header that they do not implement is refused."""
    if "if-none-match" not in request.headers:
        return None
    message = "A header you provided implies functionality that is not implemented"
    return refused(501, "NotImplemented", message, more="<Header>If-None-Match</Header>")


def knows_no_checksum(request: Request) -> Answer | None:
    """B2: a header that it does not know is refused."""
    unknown = [name for name in request.headers if name.startswith(("x-amz-checksum", "x-amz-sdk-checksum"))]
    if not unknown:
        return None
    return refused(400, "InvalidArgument", f"Unsupported header '{unknown[0]}' received for this API call.")


def signed_only(request: Request) -> Answer | None:
    """Every store, of a request without a signature."""
    return None if request.region else refused(403, "AccessDenied", "Access Denied")


def sends_to(address: str) -> Deviation:
    """An ingress, which sends plain HTTP to TLS."""
    return lambda request: Answer(
        308, headers={"Location": f"{address}/{request.bucket}?list-type=2", "Content-Type": "text/html"}
    )
