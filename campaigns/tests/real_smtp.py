"""A real SMTP server (aiosmtpd), with certificates of a made-up authority."""

import socket
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.installation import free_port

USER, PASSWORD = "rapport", "correct horse"


class Authority:
    """A certificate authority in a folder: its own certificate, and those it issues."""

    def __init__(self, folder, name="Test authority"):
        self.folder, self.name = folder, _name(name)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        usage = x509.KeyUsage(**{**NO_USAGE, "key_cert_sign": True, "crl_sign": True})
        own = _certificate(self.name, self.name, self.key.public_key())
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        own = own.add_extension(usage, critical=True)
        own = own.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
        )
        self.file.write_bytes(_pem(own.sign(self.key, hashes.SHA256())))

    def context_for(self, host, *, days=1):
        """What a server shows who calls itself `host`; `days` below zero has ended already."""
        key = ec.generate_private_key(ec.SECP256R1())
        draft = _certificate(_name(host), self.name, key.public_key(), days=days)
        draft = draft.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        signed = draft.add_extension(issuer, critical=False).sign(self.key, hashes.SHA256())
        file = self.folder / f"{host}{days}.pem"
        file.write_bytes(_pem(signed) + _private(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


NO_USAGE = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


def _name(common):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(subject, issuer, public_key, *, days=1):
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
    )


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key):
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(serialization.Encoding.PEM, *form)


class Mailbox:
    """What arrived, byte for byte."""

    def __init__(self):
        self.port, self.envelopes = free_port(), []

    async def handle_DATA(self, server, session, envelope):
        self.envelopes.append(envelope)
        return "250 2.0.0 kept"

    @property
    def contents(self):
        return [envelope.original_content for envelope in self.envelopes]


def _signs_in(server, session, envelope, mechanism, credentials):
    given = (credentials.login.decode(), credentials.password.decode())
    return AuthResult(success=given == (USER, PASSWORD), handled=False)


@contextmanager
def smtp_server(*, context=None, starttls=False, auth=False):
    """A running server; with a `context` encrypted from the start, or after STARTTLS."""
    mailbox = Mailbox()
    options = {"require_starttls": True, "tls_context": context} if starttls else {"ssl_context": context}
    if auth:
        options |= {"authenticator": _signs_in, "auth_required": True, "auth_require_tls": starttls}
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port, **options)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


@contextmanager
def server_without_farewell(context):
    """Greets, encrypted from the start, and never reads again. Its port."""
    done = threading.Event()

    def serve():
        with context.wrap_socket(listening.accept()[0], server_side=True) as sock:
            sock.sendall(b"220 hello\r\n")
            sock.recv(1000)
            sock.sendall(b"250 hello\r\n")
            done.wait(10)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            done.set()
            thread.join()
