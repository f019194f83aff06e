"""A recording HTTP server on loopback in front of another: what was asked of it, and with what."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.processes import Reply


class Asked(NamedTuple):
    """One request as it arrived."""

    path: str
    authorization: str | None
    user_agent: str


# Given a path: the reply of the front itself, or None to pass the request on.
Answer = Callable[[str], Reply | None]


class Front:
    """Where the front listens, and everything it was asked so far."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.pause_seconds = 0.0  # before every byte of an answer
        self.pauses_in = ""  # only where the path has it

    def credentials(self) -> set[str | None]:
        """Every Authorization header that arrived; None for a request without."""
        return {request.authorization for request in self.asked}


@contextmanager
def front(
    upstream: str,
    answer: Answer = lambda path: None,
    certificate: Path | None = None,
    port: int = 0,
) -> Iterator[Front]:
    """Pass requests on to ``upstream``, except those that ``answer`` answers; with a PEM file of
    certificate and key, over TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or a body waits 40 ms for its head to be acknowledged

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
            listening.asked.append(
                Asked(self.path, self.headers["Authorization"], self.headers["User-Agent"])
            )
            reply = answer(self.path) or passed_on(upstream + self.path, body)
            self.send_response(reply.status)
            for name in ("Content-Type", "Location"):
                if name in reply.headers:
                    self.send_header(name, reply.headers[name])
            length = int(reply.headers.get("Content-Length", len(reply.body)))
            self.send_header("Content-Length", str(length))
            self.end_headers()
            with suppress(OSError):  # the client may have left
                self.write_slowly(reply.body)
            self.close_connection = length != len(reply.body)

        def write_slowly(self, body: bytes) -> None:
            sent = 0
            while self.is_slow() and sent < len(body):
                time.sleep(listening.pause_seconds)
                self.wfile.write(body[sent : sent + 1])
                sent += 1
            self.wfile.write(body[sent:])

        def is_slow(self) -> bool:
            return listening.pause_seconds > 0 and listening.pauses_in in self.path

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if certificate else "http"
    listening = Front(f"{scheme}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield listening
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def passed_on(url: str, body: bytes | None = None) -> Reply:
    """What the server behind answers."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return Reply(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, dict(error.headers), error.read())


def write_certificate(file: Path) -> Path:
    """A self-signed certificate for loopback and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(signed.public_bytes(encoding) + private)
    return file
