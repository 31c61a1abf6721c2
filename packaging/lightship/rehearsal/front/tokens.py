"""JSON web tokens: a stand-in for the configured issuer that signs them, and the check that an HTTP API makes.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html. The configured issuer isn't
asked: its name has to be in the token, and the key is the stand-in's.
"""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

LIFETIME_S = 600
KEY_BITS = 2048


class LocalIssuer:
    """Signs tokens in the name of `issuer` with a key of this run."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self._key = RSAKey.generate_key(KEY_BITS, {"kid": "rehearsal", "use": "sig", "alg": "RS256"})

    def token(self, audience: str, *, scopes: Iterable[str] = (), lifetime_s: float = LIFETIME_S, **claims: Any) -> str:
        """A token for an audience."""
        now = int(time.time())
        content = {"iss": self.issuer, "aud": audience, "sub": "rehearsal", "iat": now, "exp": int(now + lifetime_s)}
        if scopes:
            content["scope"] = " ".join(scopes)
        return jwt.encode({"alg": "RS256", "kid": "rehearsal"}, {**content, **claims}, self._key)

    def claims(self, token: str, audiences: Iterable[str], scopes: Iterable[str] = ()) -> Mapping[str, Any] | None:
        """The claims of a token that is valid for one of the audiences and has one of the scopes, or else None."""
        try:
            content = jwt.decode(token, self._key, algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return None
        now, expires = time.time(), content.get("exp")
        if content.get("iss") != self.issuer or not isinstance(expires, int) or expires <= now:
            return None
        if content.get("nbf", 0) > now or content.get("iat", 0) > now + 1:
            return None
        audience = content.get("aud", content.get("client_id"))
        named = set(audience) if isinstance(audience, list) else {audience}
        granted = set(str(content.get("scope", "")).split())
        wanted = set(scopes)
        return content if named & set(audiences) and (not wanted or wanted & granted) else None
