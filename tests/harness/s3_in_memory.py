"""S3 in memory, on a free port of the loopback: any key that S3 allows, and what else a store answers.

`versitygw` shows that real S3 is understood. This one holds what no folder can (`a//b`, `..`), and plays
the stores that cannot be had here, by answers of theirs that are given to it (`s3_dialects`).
"""

import contextlib
import hashlib
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.harness.s3 import REGION, S3Account
from tests.harness.tls import TLS
from trainjobs.storage.settings import StorageSettings

if TYPE_CHECKING:
    from typing import Any

_SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/s3/aws4_request")
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass(frozen=True)
class Request:
    """What a client asks: of a bucket when `key` is empty, else of an object."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def region(self) -> str:
        """The region that the request is signed for, empty where it is not signed."""
        found = _SCOPE.search(self.headers.get("authorization", ""))
        return found[1] if found else ""

    @property
    def lists(self) -> bool:
        return self.method == "GET" and not self.key


@dataclass(frozen=True)
class Answer:
    """What the server says."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Deviation = Callable[[Request], Answer | None]
"""What a store answers otherwise than S3 would; None where it does not."""


def refused(status: int, code: str, message: str, *, more: str = "", headers: "Any" = ()) -> Answer:
    """An error as S3 words it; `more` is XML of the store's own."""
    body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>{more}</Error>"
    return Answer(status, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode(), dict(headers))


def unconditional(request: Request) -> Request:
    """The request as a store understands it that does not know If-None-Match."""
    headers = {name: value for name, value in request.headers.items() if name != "if-none-match"}
    return Request(request.method, request.bucket, request.key, request.query, headers, request.body)


class Objects:
    """Buckets and what they hold, and what S3 answers to a request."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, bytes]] = {}
        self._uploads: dict[str, dict[int, bytes]] = {}
        self._numbers = count(1)
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        """Do what is asked, one request at a time."""
        with self._lock:
            bucket = self.buckets.get(request.bucket)
            if bucket is None:
                return refused(404, "NoSuchBucket", "The specified bucket does not exist")
            match request.method:
                case "GET" if not request.key:
                    return _listing(request, bucket)
                case "GET" | "HEAD":
                    return _read(request, bucket)
                case "PUT" if "uploadId" in request.query:
                    self._uploads[request.query["uploadId"]][int(request.query["partNumber"])] = request.body
                    return Answer(200, headers={"ETag": _etag(request.body)})
                case "PUT":
                    return _write(request, bucket, request.body)
                case "POST" if "delete" in request.query:
                    return _delete_many(request, bucket)
                case "POST":
                    return self._multipart(request, bucket)
                case "DELETE" if "uploadId" in request.query:
                    self._uploads.pop(request.query["uploadId"], None)
                    return Answer(204)
                case "DELETE":
                    bucket.pop(request.key, None)
                    return Answer(204)
        return refused(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")

    def _multipart(self, request: Request, bucket: dict[str, bytes]) -> Answer:
        if "uploads" in request.query:
            upload = str(next(self._numbers))
            self._uploads[upload] = {}
            return _xml("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")
        parts = self._uploads.pop(request.query["uploadId"])
        done = _write(request, bucket, b"".join(parts[number] for number in sorted(parts)))
        return _xml("CompleteMultipartUploadResult", f"<ETag>{done.headers['ETag']}</ETag>")


def _listing(request: Request, bucket: dict[str, bytes]) -> Answer:
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
    found, folders = "", set()
    for key in sorted(bucket):
        if not key.startswith(prefix):
            continue
        below = key[len(prefix) :]
        if delimiter and delimiter in below:
            folders.add(prefix + below.partition(delimiter)[0] + delimiter)
            continue
        # Only where it is asked for: XML cannot hold every key.
        name = quote(key) if request.query.get("encoding-type") == "url" else escape(key)
        found += (
            f"<Contents><Key>{name}</Key><LastModified>2026-11-28T12:00:00.000Z</LastModified>"
            f"<ETag>{_etag(bucket[key])}</ETag><Size>{len(bucket[key])}</Size></Contents>"
        )
    found += "".join(
        f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(folders)
    )
    return _xml("ListBucketResult", f"<IsTruncated>false</IsTruncated>{found}")


def _read(request: Request, bucket: dict[str, bytes]) -> Answer:
    data = bucket.get(request.key)
    if data is None:
        return refused(404, "NoSuchKey", "The specified key does not exist.")
    etag = _etag(data)
    if request.headers.get("if-match", etag) != etag:
        return refused(412, "PreconditionFailed", "At least one of the preconditions did not hold")
    headers = {"ETag": etag, "Last-Modified": "Sat, 28 Nov 2026 12:00:00 GMT"}
    wanted = _RANGE.fullmatch(request.headers.get("range", ""))
    if wanted is None:
        return Answer(200, data, headers)
    start, end = int(wanted[1]), min(int(wanted[2]), len(data) - 1)
    headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
    return Answer(206, data[start : end + 1], headers)


def _write(request: Request, bucket: dict[str, bytes], data: bytes) -> Answer:
    if request.headers.get("if-none-match") == "*" and request.key in bucket:
        return refused(
            412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"
        )
    bucket[request.key] = data
    return Answer(200, headers={"ETag": _etag(data)})


def _delete_many(request: Request, bucket: dict[str, bytes]) -> Answer:
    keys = [
        element.text or ""
        for element in ElementTree.fromstring(request.body).iter()
        if element.tag.endswith("Key")
    ]
    for key in keys:
        bucket.pop(key, None)
    return _xml("DeleteResult", "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys))


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def _xml(name: str, body: str) -> Answer:
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    return Answer(
        200, f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{space}">{body}</{name}>'.encode()
    )


@dataclass
class S3InMemory(S3Account):
    """A server over buckets in memory; `deviations` are asked first, and may be changed while it runs."""

    objects: Objects
    port: int
    scheme: str = "http"
    deviations: Sequence[Deviation] = ()
    ignores_conditions: bool = False
    """Whether If-None-Match says nothing to it."""
    misses_what_it_deletes: bool = False
    """Whether it refuses to delete what is not there, as Google's does."""
    access_key: str = "tests"
    secret_key: str = "of-no-account"
    region: str = REGION
    asked: list[Request] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def settings(self) -> StorageSettings:
        return StorageSettings(endpoint=self.endpoint, region=self.region, retry_seconds=30)

    def make_bucket(self, name: str) -> str:
        """Make a bucket and return its URI."""
        self.objects.buckets.setdefault(name, {})
        return f"s3://{name}"

    def answer(self, request: Request) -> Answer:
        """What this store says to a request."""
        self.asked.append(request)
        for deviation in self.deviations:
            if (answer := deviation(request)) is not None:
                return answer
        held = self.objects.buckets.get(request.bucket, {})
        if self.misses_what_it_deletes and request.method == "DELETE" and request.key not in held:
            return refused(404, "NoSuchKey", "The specified key does not exist.")
        return self.objects.answer(unconditional(request) if self.ignores_conditions else request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: apart, each answer waits for the acknowledgement of its first half.
    wbufsize = -1
    server: "_Server"

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        bucket, _, key = path.lstrip("/").partition("/")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = dict(parse_qsl(query, keep_blank_values=True))
        request = Request(self.command, unquote(bucket), unquote(key), asked, headers, body)
        answer = self.server.s3.answer(request)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815  (http.server's names)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    s3: S3InMemory

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, or speaks plain HTTP to TLS, is what some tests are about."""


@contextlib.contextmanager
def s3_in_memory(*deviations: Deviation, tls: TLS | None = None) -> Iterator[S3InMemory]:
    """Run a server for the length of a block."""
    server = _Server(("127.0.0.1", 0), _Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    server.s3 = S3InMemory(Objects(), server.server_port, scheme, deviations)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.s3
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
