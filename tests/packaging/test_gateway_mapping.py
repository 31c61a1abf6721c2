"""HTTP requests become API Gateway's events, and a function's answers become responses."""

import base64
import json
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship.gateway import GatewayContext, HttpRequest, http_api, rest_api
from lightship_runtime.events import read_event

CONTEXT = GatewayContext(route_key="POST /predict", request_id="id", epoch_ms=1_700_000_000_000)


def test_an_event_of_format_2_has_every_documented_key() -> None:
    request = HttpRequest(
        "POST",
        "/predict",
        "a=1&a=2&b=x%20y&c",
        (("Host", "api.example.com"), ("X-Twice", "1"), ("x-twice", "2"), ("Cookie", "k=v; l=w"),
         ("Content-Type", "application/json; charset=utf-8"), ("User-Agent", "test")),
        b'{"instances": []}',
    )  # fmt: skip
    event = http_api.to_event(request, CONTEXT)
    assert event["version"] == "2.0"
    assert event["routeKey"] == event["requestContext"]["routeKey"] == "POST /predict"
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/predict"
    assert event["rawQueryString"] == "a=1&a=2&b=x%20y&c"
    assert event["queryStringParameters"] == {"a": "1,2", "b": "x y", "c": ""}
    assert event["cookies"] == ["k=v", "l=w"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-twice"] == "1,2"
    assert event["headers"]["x-forwarded-proto"] == "https"
    assert (event["body"], event["isBase64Encoded"]) == ('{"instances": []}', False)
    context = event["requestContext"]
    assert context["http"]["userAgent"] == "test"
    assert (context["domainName"], context["domainPrefix"]) == ("api.example.com", "api")
    assert context["time"] == "14/Nov/2023:22:13:20 +0000"
    assert context["timeEpoch"] == 1_700_000_000_000


@pytest.mark.parametrize(
    ("content_type", "text"),
    [("application/json", True), ("text/csv", True), ("application/xml", True), ("application/octet-stream", False),
     ("application/x-www-form-urlencoded", False), ("", False)],
)  # fmt: skip
def test_a_body_is_text_for_four_kinds_of_content_only(content_type: str, text: bool) -> None:
    headers = (("content-type", content_type),) if content_type else ()
    event = http_api.to_event(HttpRequest("POST", "/", headers=headers, body=b"a,b"))
    assert event["isBase64Encoded"] is not text
    assert event["body"] == ("a,b" if text else base64.b64encode(b"a,b").decode())


def test_a_compressed_body_is_base64() -> None:
    headers = (("content-type", "application/json"), ("content-encoding", "gzip"))
    assert http_api.to_event(HttpRequest("POST", "/", headers=headers, body=b"\x1f\x8b"))["isBase64Encoded"]


def test_the_path_is_decoded_and_carries_a_named_stage() -> None:
    event = http_api.to_event(HttpRequest("GET", "/a%20b"), GatewayContext(stage="prod"))
    assert event["rawPath"] == "/prod/a b"
    assert read_event(event).path == "/a b"


@settings(derandomize=True, max_examples=60)
@given(
    st.binary(max_size=200),
    st.sampled_from(["application/octet-stream", "application/json"]),
    st.text(string.printable.strip(), max_size=30),
)
def test_the_runtime_reads_back_the_bytes_that_were_sent(body: bytes, kind: str, value: str) -> None:
    if kind == "application/json":
        body = body.decode(errors="replace").encode()
    request = HttpRequest("POST", "/predict", headers=(("Content-Type", kind), ("X-Value", value)), body=body)
    for event in (
        http_api.to_event(request, CONTEXT),
        rest_api.to_event(request, CONTEXT, binary_types=frozenset({"application/octet-stream"})),
    ):
        read = read_event(json.loads(json.dumps(event)))
        assert read.body == body
        assert read.headers["x-value"] == value
        assert (read.method, read.path) == ("POST", "/predict")


@pytest.mark.parametrize(
    ("answer", "status", "content_type", "body"),
    [
        ({"statusCode": 201, "headers": {"Content-Type": "text/csv"}, "body": "a"}, 201, "text/csv", b"a"),
        ({"statusCode": "200", "body": "YQ==", "isBase64Encoded": True}, 200, "text/plain; charset=utf-8", b"a"),
        ({"statusCode": 204}, 204, "text/plain; charset=utf-8", b""),
        ("hello", 200, "application/json", b"hello"),
        ({"a": 1}, 200, "application/json", b'{"a": 1}'),
        ([1], 200, "application/json", b"[1]"),
        (None, 200, "application/json", b"null"),
    ],
)
def test_answers_become_responses(answer: Any, status: int, content_type: str, body: bytes) -> None:
    response = http_api.to_response(json.dumps(answer).encode())
    assert (response.status, response.header("Content-Type"), response.body) == (status, content_type, body)


def test_cookies_become_headers_and_framing_is_left_out() -> None:
    answer = {"statusCode": 200, "cookies": ["a=1", "b=2"], "headers": {"X-N": 3, "Content-Length": "99"}}
    response = http_api.to_response(json.dumps(answer).encode())
    assert [text for name, text in response.headers if name == "set-cookie"] == ["a=1", "b=2"]
    assert response.header("x-n") == "3"
    assert response.header("content-length") is None


@pytest.mark.parametrize(
    "payload",
    [b"not json", b'{"statusCode": "many"}', b'{"statusCode": 999}', b'{"statusCode": 200, "body": {"a": 1}}',
     b'{"statusCode": 200, "body": "no base64!", "isBase64Encoded": true}',
     b'{"statusCode": 200, "headers": {"x": "a\\r\\nset-cookie: b"}}', b'{"statusCode": 200, "headers": [1]}'],
)  # fmt: skip
def test_answers_that_cannot_be_sent_are_errors(payload: bytes) -> None:
    assert http_api.to_response(payload) == http_api.INTERNAL_ERROR
    assert rest_api.to_response(payload).status == 502


def test_a_failed_function_is_an_error_of_the_gateway() -> None:
    payload = b'{"statusCode": 200, "body": "x"}'
    assert http_api.to_response(payload, error=True).body == b'{"message":"Internal Server Error"}'
    assert rest_api.to_response(payload, error=True).status == 502


def test_a_rest_api_keeps_repeated_headers_and_needs_a_status() -> None:
    context = GatewayContext(resource="/predict", stage="prod", identity={"apiKeyId": "key"})
    request = HttpRequest("POST", "/predict", "a=1&a=2", (("X-Twice", "1"), ("X-Twice", "2")), b"{}")
    event = rest_api.to_event(request, context)
    assert event["multiValueHeaders"]["x-twice"] == ["1", "2"]
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"]}
    assert event["queryStringParameters"] == {"a": "2"}
    assert event["requestContext"]["path"] == "/prod/predict"
    assert event["requestContext"]["identity"]["apiKeyId"] == "key"
    assert event["body"] == "{}"
    assert rest_api.to_response(b'{"predictions": []}').status == 502
    answer = {"statusCode": 200, "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]}, "body": "x"}
    response = rest_api.to_response(json.dumps(answer).encode())
    assert [text for name, text in response.headers if name == "set-cookie"] == ["a=1", "b=2"]
