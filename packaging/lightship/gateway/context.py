"""What API Gateway knows about a request besides the request: its API, route, stage and caller."""

import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lightship.gateway.messages import HttpRequest


@dataclass(frozen=True, slots=True)
class GatewayContext:
    """`route_key` is the HTTP API's ("POST /predict", "$default"); `resource` the REST API's ("/predict").

    `authorizer` goes into the event as it is: `{"iam": {...}}` or `{"jwt": {"claims": ..., "scopes": ...}}`.
    """

    route_key: str = "$default"
    resource: str = "/{proxy+}"
    stage: str = "$default"
    api_id: str = "local"
    account: str = "123456789012"
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    stage_variables: Mapping[str, str] = field(default_factory=dict)
    authorizer: Mapping[str, Any] | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    epoch_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)

    @property
    def time(self) -> str:
        """The request's time in the common log format."""
        return f"{datetime.fromtimestamp(self.epoch_ms / 1000, UTC):%d/%b/%Y:%H:%M:%S +0000}"


def forwarded_headers(request: HttpRequest) -> dict[str, str]:
    """The request's headers together with those API Gateway adds."""
    headers = request.joined_headers()
    headers.setdefault("host", "localhost")
    headers["x-forwarded-for"] = ", ".join(filter(None, [headers.get("x-forwarded-for"), request.source_ip]))
    headers["x-forwarded-proto"] = request.scheme
    headers["x-forwarded-port"] = headers["host"].rpartition(":")[2] if ":" in headers["host"] else "443"
    headers.setdefault("x-amzn-trace-id", f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}")
    return headers
