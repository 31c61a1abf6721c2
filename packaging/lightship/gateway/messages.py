"""An HTTP request and response as plain values, and the API Gateway answers that no function takes part in."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html:
# 10 MB a request, 30 s an integration.
MAX_REQUEST = 10 * 1024 * 1024
INTEGRATION_TIMEOUT_S = 30.0

type Headers = tuple[tuple[str, str], ...]

# Framing belongs to the connection, not to the function.
HOP_BY_HOP = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"})


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `path` is as sent (percent-encoded, without query), `query` the raw text after `?`."""

    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: bytes = b""
    scheme: str = "https"
    source_ip: str = "127.0.0.1"

    @property
    def decoded_path(self) -> str:
        return unquote(self.path)

    def header(self, name: str) -> str | None:
        """All values of a header joined by commas, as API Gateway joins them, or None."""
        found = [text for key, text in self.headers if key.lower() == name.lower()]
        return ",".join(found) if found else None

    def joined_headers(self) -> dict[str, str]:
        """Names in lower case, the values of a repeated one joined by commas."""
        return {name: self.header(name) or "" for name in dict.fromkeys(key.lower() for key, _ in self.headers)}


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One response. Headers may repeat (`set-cookie`)."""

    status: int
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        return next((text for key, text in self.headers if key.lower() == name.lower()), None)


def message(status: int, text: str, *headers: tuple[str, str]) -> HttpResponse:
    """API Gateway's own answer: a JSON object with one key."""
    body = json.dumps({"message": text}, separators=(",", ":")).encode()
    return HttpResponse(status, (("content-type", "application/json"), *headers), body)


def clean_headers(headers: Iterable[tuple[str, object]]) -> Headers:
    """A function's headers as they may be sent. Raises ValueError for one that would break the message apart."""
    clean = []
    for name, value in headers:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if any(character in name + text for character in "\r\n\0") or not name:
            raise ValueError(f"the header {name!r} can't be sent")
        if name.lower() not in HOP_BY_HOP:
            clean.append((name.lower(), text))
    return tuple(clean)
