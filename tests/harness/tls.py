"""Certificates for servers of tests, signed by an authority that nobody trusts yet."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class TLS:
    """PEM files: a server's certificate chain and key, and the authority that signed it."""

    certificate: Path
    key: Path
    authority: Path


def make_certificate(folder: Path, *hosts: str) -> TLS:
    """Write a fresh authority and a certificate, for the loopback or for the hosts given, into a folder."""
    authority = trustme.CA()
    server = authority.issue_cert(*(hosts or ("127.0.0.1", "localhost")))
    made = TLS(folder / "server.pem", folder / "key.pem", folder / "ca.pem")
    made.certificate.write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))
    server.private_key_pem.write_to_path(str(made.key))
    authority.cert_pem.write_to_path(str(made.authority))
    return made
