"""Signed tokens of persona-chat users, as an identity provider makes them."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

SECRET = "a-secret-of-the-tests-" * 3
ISSUER = "yral_auth"


def claims(user_id: str = "alice", **changed: Any) -> dict[str, Any]:
    """Those of a good token; None takes one away."""
    now = int(time.time())
    whole = {"user_id": user_id, "iss": ISSUER, "iat": now, "exp": now + 3600, **changed}
    return {name: value for name, value in whole.items() if value is not None}


def token(user_id: str = "alice", *, secret: str = SECRET, algorithm: str = "HS256", **changed: Any) -> str:
    return jwt.encode(claims(user_id, **changed), secret, algorithm=algorithm)


def as_user(user_id: str = "alice", **changed: Any) -> dict[str, str]:
    """The headers of a call."""
    return {"Authorization": f"Bearer {token(user_id, **changed)}"}


@dataclass
class IdentityProvider:
    """Signs with keys of its own, and publishes them."""

    keys: dict[str, Any] = field(default_factory=dict)

    def new_key(self, key_id: str, *, kind: str = "ES256") -> None:
        made = ec.generate_private_key(ec.SECP256R1()) if kind == "ES256" else _rsa()
        self.keys[key_id] = (kind, made)

    def token(self, key_id: str, user_id: str = "alice", **changed: Any) -> str:
        kind, key = self.keys[key_id]
        return jwt.encode(claims(user_id, **changed), key, algorithm=kind, headers={"kid": key_id})

    def key_set(self) -> str:
        rows = []
        for key_id, (kind, key) in self.keys.items():
            maker = ECAlgorithm if kind == "ES256" else RSAAlgorithm
            row = json.loads(maker.to_jwk(key.public_key()))
            rows.append({**row, "kid": key_id, "use": "sig", "alg": kind})
        return json.dumps({"keys": rows})


def _rsa() -> Any:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
