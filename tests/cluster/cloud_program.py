"""What a cloud runs beside a cluster for the identity of pods: the issuer's documents, and the pods' webhook.

A program of its own inside the cluster's network, over TLS. The webhook does what EKS's does, which cannot be
had here: pods get a token for the token service, and variables that name it, the role and the service.
"""

import base64
import json
import ssl
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

AUDIENCE = "sts.amazonaws.com"
_FOLDER = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
_VOLUME = "aws-iam-token"


class Handler(SimpleHTTPRequestHandler):
    """Gives the documents that lie in a folder, and answers reviews of pods."""

    def __init__(self, *arguments: Any, variables: dict[str, str], **options: Any) -> None:
        self.variables = variables
        super().__init__(*arguments, **options)

    def do_POST(self) -> None:
        """Answer an AdmissionReview of a pod."""
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review["request"]
        patch = json.dumps(_patch(request["object"]["spec"], self.variables)).encode()
        answer = {
            "uid": request["uid"],
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": base64.b64encode(patch).decode(),
        }
        body = json.dumps({**review, "request": None, "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _patch(spec: dict[str, Any], variables: dict[str, str]) -> list[dict[str, Any]]:
    """What a pod is given more; lists are given as a whole, since a pod may have none."""
    token = {"serviceAccountToken": {"audience": AUDIENCE, "expirationSeconds": 3600, "path": "token"}}
    volumes = [*spec.get("volumes", []), {"name": _VOLUME, "projected": {"sources": [token]}}]
    told = {**variables, "AWS_WEB_IDENTITY_TOKEN_FILE": f"{_FOLDER}/token"}
    found: list[dict[str, Any]] = [{"op": "add", "path": "/spec/volumes", "value": volumes}]
    for index, container in enumerate(spec["containers"]):
        mount = {"name": _VOLUME, "mountPath": _FOLDER, "readOnly": True}
        more = {
            "env": [{"name": name, "value": value} for name, value in told.items()],
            "volumeMounts": [mount],
        }
        for field, values in more.items():
            path = f"/spec/containers/{index}/{field}"
            found.append({"op": "add", "path": path, "value": [*container.get(field, []), *values]})
    return found


def main(address: str, certificate: str, key: str, folder: str, variables: str) -> None:
    """Serve until killed."""
    handler = partial(Handler, directory=folder, variables=json.loads(variables))
    server = ThreadingHTTPServer((address, 443), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
