"""A web server over TLS on loopback, with a certificate of its own for `pictures.example`."""

import asyncio
import datetime
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.fakes.http_server import HttpServer, Request, send

NAME = "pictures.example"


@dataclass
class Page:
    """How every request is answered."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    is_chunked: bool = False
    never_ends: bool = False
    raw: bytes = b""  # instead of HTTP


class WebServer(HttpServer):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self.url = ""
        self.certificate, key = _certificate()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "both.pem"
            file.write_text(key + self.certificate)
            self.tls.load_cert_chain(file)

    @property
    def port(self) -> int:
        return self._port

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        page = self.page
        if page.raw:
            writer.write(page.raw)
            await writer.drain()
            writer.close()
        elif page.never_ends or page.is_chunked:
            writer.write(f"HTTP/1.1 {page.status} Fake\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            writer.write(b"%x\r\n%s\r\n" % (len(page.body) or 1, page.body or b"x"))
            if page.never_ends:
                await writer.drain()
                await asyncio.sleep(3600)
            writer.write(b"0\r\n\r\n")
        else:
            send(writer, page.status, page.body, page.headers)


def _certificate() -> tuple[str, str]:
    """The certificate and its key, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, *plain).decode()
    return made.public_bytes(serialization.Encoding.PEM).decode(), private
