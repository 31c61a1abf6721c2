"""What both kinds of API share: the routes, the access log, and where CloudWatch finds their numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ROUTES = (
    ("POST", "/predict"),
    ("GET", "/ping"),
    ("GET", "/contract"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
)
# Late labels go to a function of their own.
FEEDBACK_PATH = "/feedback"


@dataclass(frozen=True, slots=True)
class ApiMetrics:
    """The dimensions of an API's metrics in AWS/ApiGateway, and what that kind calls
    `count`, `server_errors`, `client_errors` and `latency`."""

    dimensions: Mapping[str, str]
    names: Mapping[str, str]


def access_log_format(kind: Literal["http", "rest"]) -> dict[str, str]:
    """The fields of an access log line. No header, query or body: inputs may be personal data."""
    common = {
        "requestId": "$context.requestId",
        "time": "$context.requestTime",
        "ip": "$context.identity.sourceIp",
        "method": "$context.httpMethod",
        "status": "$context.status",
        "responseBytes": "$context.responseLength",
        "latencyMs": "$context.responseLatency",
        "integrationMs": "$context.integrationLatency",
        "error": "$context.error.message",
    }
    match kind:
        case "http":
            return {
                **common,
                "route": "$context.routeKey",
                "caller": "$context.identity.userArn",
                "integrationError": "$context.integrationErrorMessage",
            }
        case "rest":
            return {**common, "route": "$context.resourcePath", "keyId": "$context.identity.apiKeyId"}
