"""HTTP APIs: requests become events of payload format 2.0, and a function's answers become responses.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html. What that page
leaves open was observed by others on the service: the path arrives decoded, the query doesn't, and a body is text for
four kinds of content type only, base64 for any other and for none.
"""

import base64
import binascii
import json
from typing import Any
from urllib.parse import parse_qsl

from lightship.gateway.context import GatewayContext, forwarded_headers
from lightship.gateway.messages import HttpRequest, HttpResponse, clean_headers, message

TEXT_TYPES = frozenset({"application/json", "application/javascript", "application/xml"})

INTERNAL_ERROR = message(500, "Internal Server Error")
UNAVAILABLE = message(503, "Service Unavailable")
TOO_LARGE = message(413, "Request Entity Too Large")
NOT_FOUND = message(404, "Not Found")
FORBIDDEN = message(403, "Forbidden")


def to_event(request: HttpRequest, context: GatewayContext | None = None) -> dict[str, Any]:
    """The event a function behind an HTTP API gets for this request."""
    context = context or GatewayContext()
    headers = forwarded_headers(request)
    cookies = [part.strip() for part in headers.pop("cookie", "").split(";") if part.strip()]
    domain = headers["host"]
    path = request.decoded_path if context.stage == "$default" else f"/{context.stage}{request.decoded_path}"
    request_context: dict[str, Any] = {
        "accountId": context.account,
        "apiId": context.api_id,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "http": {
            "method": request.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": request.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": context.request_id,
        "routeKey": context.route_key,
        "stage": context.stage,
        "time": context.time,
        "timeEpoch": context.epoch_ms,
    }
    if context.authorizer is not None:
        request_context["authorizer"] = dict(context.authorizer)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": context.route_key,
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": request_context,
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if request.query:
        event["queryStringParameters"] = _joined(parse_qsl(request.query, keep_blank_values=True))
    if context.path_parameters:
        event["pathParameters"] = dict(context.path_parameters)
    if context.stage_variables:
        event["stageVariables"] = dict(context.stage_variables)
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(request)
    return event


def to_response(payload: bytes, *, error: bool = False) -> HttpResponse:
    """What a caller gets for the JSON a function returned; `error` says that the function failed.

    An object with `statusCode` is a response; anything else is the body of a 200. What can't be sent is a 500.
    """
    if error:
        return INTERNAL_ERROR
    try:
        answer = json.loads(payload)
        if not isinstance(answer, dict) or "statusCode" not in answer:
            body = answer.encode() if isinstance(answer, str) else payload
            return HttpResponse(200, (("content-type", "application/json"),), body)
        return _response(answer)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        return INTERNAL_ERROR


def _response(answer: dict[str, Any]) -> HttpResponse:
    status = int(answer["statusCode"])
    if not 100 <= status <= 599:
        raise ValueError(f"{status} is no HTTP status")
    headers = clean_headers((answer.get("headers") or {}).items())
    cookies = clean_headers(("set-cookie", cookie) for cookie in answer.get("cookies") or ())
    if not any(name == "content-type" for name, _ in headers):
        headers += (("content-type", "text/plain; charset=utf-8"),)
    text = answer.get("body")
    if text is None:
        text = ""
    if not isinstance(text, str):
        raise TypeError("the body isn't a string")
    body = base64.b64decode(text, validate=True) if answer.get("isBase64Encoded") else text.encode()
    return HttpResponse(status, headers + cookies, body)


def _body(request: HttpRequest) -> tuple[str, bool]:
    media_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if (media_type.startswith("text/") or media_type in TEXT_TYPES) and not request.header("content-encoding"):
        return request.body.decode(errors="replace"), False
    return base64.b64encode(request.body).decode(), True


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, text in pairs:
        joined[name] = f"{joined[name]},{text}" if name in joined else text
    return joined
