"""A small server that speaks as much of a model hub's protocol as fetching from it takes, on the loopback.

What it answers was read in `huggingface_hub` and seen of the hub itself: a repository's commit, its
tree, files by commit, large ones by way of another address, and refusals by their `X-Error-Code`.
"""

import hashlib
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.harness.tls import TLS

LARGE = 10_000
"""Files from this size on come from another address, as from the hub's store of large files."""
TOKEN = "hf_of_a_friend"
"""Lets see what is private; what is gated has not been granted to it."""

_REPOSITORY = r"(?P<kind>datasets/|)(?P<name>[^/]+/[^/]+)"
_API = re.compile(
    r"/api/(?P<kind>models|datasets)/(?P<name>[^/]+/[^/]+)/(?P<what>revision|tree)/(?P<revision>[^/]+)"
)
_FILE = re.compile(rf"/{_REPOSITORY}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_STORED = re.compile(r"/stored/(?P<sha256>[0-9a-f]{64})")


@dataclass
class Repository:
    """Files, and who may see them."""

    files: dict[str, bytes]
    private: bool = False
    gated: bool = False

    @property
    def commit(self) -> str:
        """Another one whenever a file changes."""
        return hashlib.sha1(repr(sorted(self.files.items())).encode()).hexdigest()

    @classmethod
    def of(cls, folder: Path) -> "Repository":
        """What lies in a folder."""
        return cls({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})


@dataclass
class Hub:
    """What the server holds, how it behaves, and what it was asked."""

    models: dict[str, Repository] = field(default_factory=dict)
    datasets: dict[str, Repository] = field(default_factory=dict)
    answers: int | None = None
    """A status that everything is answered with."""
    page: bytes | None = None
    """What everything is answered with by something that is no hub."""
    cuts: int = 0
    """How many times a large file breaks off in the middle."""
    xet: bool = False
    """Whether large files are offered by another protocol, too, whose store cannot be reached from here."""
    asked: list[str] = field(default_factory=list)
    """`METHOD path` of every request."""
    url: str = ""

    def downloads(self, name: str) -> int:
        """How many times the bytes of a file were asked for."""
        held = [
            repository.files[name]
            for repository in (*self.models.values(), *self.datasets.values())
            if name in repository.files
        ]
        large = {f"GET /stored/{hashlib.sha256(data).hexdigest()}" for data in held if len(data) >= LARGE}
        if large:
            return sum(one in large for one in self.asked)
        return sum(one.startswith("GET ") and one.endswith(f"/{name}") for one in self.asked)

    @property
    def store(self) -> str:
        """Where large files are: another host, to which no token is sent."""
        return self.url.replace("127.0.0.1", "localhost")

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to ask this hub, and no other."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    @contextmanager
    def serving(self, tls: TLS | None = None) -> Iterator["Hub"]:
        """Serve until the end, by HTTPS if there is a certificate."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, hub: Hub, *connection: Any) -> None:
        self._hub = hub
        super().__init__(*connection)

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self._hub.asked.append(f"{self.command} {path}")
        if self._hub.page is not None:
            self._send(200, self._hub.page, {"Content-Type": "text/html"})
        elif self._hub.answers is not None:
            self._send(self._hub.answers)
        elif self._token not in (None, TOKEN):
            self._refuse(401, message="Invalid credentials in Authorization header")
        elif found := _STORED.fullmatch(path):
            self._stored(found["sha256"])
        elif found := _API.fullmatch(path):
            self._api(found)
        elif found := _FILE.fullmatch(path):
            self._file(found)
        else:
            self._refuse(404)

    @property
    def _token(self) -> str | None:
        given = self.headers.get("Authorization")
        return given.removeprefix("Bearer ") if given else None

    def _repository(self, found: re.Match[str]) -> Repository | None:
        """The repository at its revision; None when the refusal has been sent."""
        kept = self._hub.datasets if found["kind"].startswith("datasets") else self._hub.models
        repository = kept.get(found["name"])
        if repository is None or (repository.private and self._token is None):
            # Who is not known is not told which of both it is.
            self._refuse(401 if self._token is None else 404, "RepoNotFound", "Repository not found")
            return None
        if found["revision"] not in ("main", repository.commit):
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {found['revision']}")
            return None
        return repository

    def _api(self, found: re.Match[str]) -> None:
        repository = self._repository(found)
        if repository is None:
            return
        if found["what"] == "revision":
            known = {
                "id": found["name"],
                "sha": repository.commit,
                "private": repository.private,
                "tags": [],
            }
            self._send(200, json.dumps(known).encode(), {"Content-Type": "application/json"})
            return
        entries = [self._entry(path, data) for path, data in sorted(repository.files.items())]
        self._send(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})

    def _entry(self, path: str, data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        entry: dict[str, object] = {"type": "file", "path": path, "size": len(data), "oid": digest[:40]}
        if len(data) >= LARGE:
            entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 130}
            if self._hub.xet:
                entry["xetHash"] = digest
        return entry

    def _file(self, found: re.Match[str]) -> None:
        repository = self._repository(found)
        if repository is None:
            return
        if repository.gated:
            self._refuse(401 if self._token is None else 403, "GatedRepo", "Access to model is restricted.")
            return
        data = repository.files.get(found["path"])
        commit = {"X-Repo-Commit": repository.commit}
        if data is None:
            self._refuse(404, "EntryNotFound", "Entry not found", commit)
            return
        digest = hashlib.sha256(data).hexdigest()
        if len(data) < LARGE:
            self._send(200, data, {"ETag": f'"{digest[:40]}"', **commit})
            return
        headers = {"X-Linked-Size": str(len(data)), "X-Linked-ETag": f'"{digest}"', **commit}
        if self._hub.xet:
            kind = "datasets" if found["kind"] else "models"
            route = f"{self._hub.url}/api/{kind}/{found['name']}/xet-read-token/{repository.commit}"
            headers |= {"X-Xet-Hash": digest, "Link": f'<{route}>; rel="xet-auth"'}
        self._send(302, headers={"Location": f"{self._hub.store}/stored/{digest}", **headers})

    def _stored(self, sha256: str) -> None:
        files = (
            f for r in (*self._hub.models.values(), *self._hub.datasets.values()) for f in r.files.values()
        )
        data = next((f for f in files if hashlib.sha256(f).hexdigest() == sha256), None)
        if data is None:
            self._refuse(404)
            return
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        part = data[start:]
        ranged = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        if self.command == "GET" and self._hub.cuts:
            self._hub.cuts -= 1
            self._send(200, part[: len(part) // 2], {"Content-Length": str(len(part))})
            self.close_connection = True
            return
        self._send(206 if start else 200, part, {"ETag": f'"{sha256}"', **ranged})

    def _refuse(
        self, status: int, code: str = "", message: str = "", headers: dict[str, str] | None = None
    ) -> None:
        said = {"X-Error-Code": code, "X-Error-Message": message}
        self._send(status, headers={**{k: v for k, v in said.items() if v}, **(headers or {})})

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
