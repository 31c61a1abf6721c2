"""Calls a deployed endpoint as its callers do."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from lightship.loopback import LOOPBACK
from lightship.operate.aws import Aws, Clients, OperateError
from lightship.operate.stacks import DeployedStack
from lightship_runtime.errors import LightshipError
from lightship_runtime.golden import read_golden
from lightship_runtime.manifest import GOLDEN, read_contract
from lightship_runtime.replay import instances_of

SERVICE = "execute-api"
TIMEOUT_S = 60
JSON = {"content-type": "application/json"}

type Auth = Literal["iam", "jwt", "api_key", "none"]


class CallError(LightshipError):
    """The endpoint refused, failed, or wasn't reached."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


def body_of(data: str | None, example: Path | None) -> bytes | None:
    """The request's body: a file, or JSON itself, wrapped as `{"instances": [...]}` where it isn't; without data, the
    first golden row of the release in the folder `example`. None when there is neither.

    Raises OperateError when it is neither a file nor JSON.
    """
    if data is None:
        if example is None:
            return None
        row = instances_of(read_golden(example / GOLDEN), read_contract(example))[0]
        return json.dumps({"instances": [row]}).encode()
    text = data if data.lstrip().startswith(("{", "[")) else _read(Path(data))
    try:
        document = json.loads(text)
    except ValueError as error:
        raise OperateError(f"--data isn't JSON: {error}. Give a file, or JSON like '{{\"distance\": 733}}'.") from error
    match document:
        case {"instances": _} | {"labels": _}:
            return text.encode()
        case list():
            return json.dumps({"instances": document}).encode()
        case dict():
            return json.dumps({"instances": [document]}).encode()
    raise OperateError(f"--data is {text[:80]!r}; give one row (an object) or several (a list).")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperateError(
            f"--data names {file}, which can't be read: {error}. Give a file, or JSON itself."
        ) from error


def headers_of(
    auth: Auth, aws: Aws, stack: DeployedStack, request: tuple[str, str, bytes], *, key: str | None, token: str | None
) -> Mapping[str, str]:
    """What admits the caller: a signature, a key or a token. `request` is method, URL and body. Raises OperateError."""
    _, _, body = request
    plain = dict(JSON) if body else {}
    if key is not None:
        return {**plain, "x-api-key": key}
    if token is not None:
        return {**plain, "authorization": f"Bearer {token}"}
    match auth:
        case "iam":
            return signed(request, plain, aws.credentials(), aws.region)
        case "api_key":
            return {**plain, "x-api-key": api_key(aws, stack)}
        case "jwt":
            raise OperateError("The endpoint wants a token of your issuer: --token, or LIGHTSHIP_TOKEN.")
        case "none":
            return plain


def signed(
    request: tuple[str, str, bytes], headers: Mapping[str, str], credentials: Any, region: str
) -> dict[str, str]:
    """The headers with Signature Version 4 for API Gateway."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    method, url, body = request
    prepared = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
    SigV4Auth(credentials, SERVICE, region).add_auth(prepared)
    return dict(prepared.headers.items())


def api_key(aws: Clients, stack: DeployedStack) -> str:
    """The key that the stack made, for those who may read it."""
    found = aws("apigateway").get_api_key(apiKey=stack.output("ApiKeyId"), includeValue=True)
    return str(found["value"])


def send(request: tuple[str, str, bytes], headers: Mapping[str, str]) -> Answer:
    """One request. Plain HTTP goes to this machine only. Raises CallError when nobody answers."""
    method, url, body = request
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http" and host in LOOPBACK:
        connection = http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_S)
    elif parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT_S, context=context)
    else:
        raise OperateError(f"{url!r} isn't an address to call: https://, or http:// on this machine.")
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body or None, dict(headers))
        answer = connection.getresponse()
        return Answer(answer.status, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise CallError(f"{parts.netloc} doesn't answer: {error}. `lightship status` names the endpoint.") from error
    finally:
        connection.close()
