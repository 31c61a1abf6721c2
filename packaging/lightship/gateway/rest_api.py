"""REST APIs: requests become events of payload format 1.0 (Lambda proxy integration), and answers responses.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import base64
import binascii
import json
from typing import Any
from urllib.parse import parse_qs

from lightship.gateway.context import GatewayContext, forwarded_headers
from lightship.gateway.messages import HttpRequest, HttpResponse, clean_headers, message

BAD_GATEWAY = message(502, "Internal server error")
TIMED_OUT = message(504, "Endpoint request timed out")
TOO_LARGE = message(413, "Request Too Long")
FORBIDDEN = message(403, "Forbidden")
NOT_FOUND = message(403, "Missing Authentication Token")
TOO_MANY = message(429, "Too Many Requests")


def to_event(
    request: HttpRequest, context: GatewayContext, *, binary_types: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The event a function behind a REST API gets. The body is base64 where its type is among `binary_types`."""
    headers = forwarded_headers(request)
    several = {
        name: [text for key, text in request.headers if key.lower() == name] or [headers[name]] for name in headers
    }
    query = parse_qs(request.query, keep_blank_values=True)
    media_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    binary = media_type in binary_types or "*/*" in binary_types
    body: str | None = None
    if request.body:
        body = base64.b64encode(request.body).decode() if binary else request.body.decode(errors="replace")
    return {
        "resource": context.resource,
        "path": request.path,
        "httpMethod": request.method,
        "headers": headers,
        "multiValueHeaders": several,
        "queryStringParameters": {name: texts[-1] for name, texts in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(context.path_parameters) or None,
        "stageVariables": dict(context.stage_variables) or None,
        "requestContext": {
            "accountId": context.account,
            "apiId": context.api_id,
            "domainName": headers["host"],
            "domainPrefix": headers["host"].partition(".")[0],
            "extendedRequestId": context.request_id,
            "httpMethod": request.method,
            "identity": {
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent", ""),
                **context.identity,
            },
            "path": f"/{context.stage}{request.path}",
            "protocol": "HTTP/1.1",
            "requestId": context.request_id,
            "requestTime": context.time,
            "requestTimeEpoch": context.epoch_ms,
            "resourcePath": context.resource,
            "stage": context.stage,
        },
        "body": body,
        "isBase64Encoded": binary and body is not None,
    }


def to_response(payload: bytes, *, error: bool = False) -> HttpResponse:
    """What a caller gets for the JSON a function returned. Anything but a well-formed proxy response is a 502."""
    if error:
        return BAD_GATEWAY
    try:
        answer = json.loads(payload)
        status = int(answer["statusCode"])
        several = answer.get("multiValueHeaders") or {}
        single = {name: text for name, text in (answer.get("headers") or {}).items() if name not in several}
        pairs = [(name, text) for name, texts in several.items() for text in texts]
        headers = clean_headers([*single.items(), *pairs])
        text = answer.get("body") or ""
        body = base64.b64decode(text, validate=True) if answer.get("isBase64Encoded") else text.encode()
        if not 100 <= status <= 599:
            raise ValueError(f"{status} is no HTTP status")
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error):
        return BAD_GATEWAY
    if not any(name == "content-type" for name, _ in headers):
        headers += (("content-type", "application/json"),)
    return HttpResponse(status, headers, body)
