"""Calls a deployed endpoint over HTTP as its callers do: signed, with a token, with a key, or plainly."""

import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lightship.rehearsal.aws import EmulatedAws
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.front.http_api import HttpApi
from lightship.rehearsal.front.server import ApiFront
from lightship.rehearsal.front.signatures import sign
from lightship_runtime.contract import Contract
from lightship_runtime.errors import LightshipError
from lightship_runtime.golden import Agreement, Golden, compare
from lightship_runtime.replay import replay

PREDICT = "/predict"
TIMEOUT_S = 60
JSON = {"content-type": "application/json"}

# Given method, URL and body: the headers that admit a caller.
type Authorise = Callable[[str, str, bytes], Mapping[str, str]]


class CallError(LightshipError):
    """The endpoint answered something else than was expected."""


@dataclass(frozen=True)
class Caller:
    """One caller of one endpoint."""

    url: str
    authorise: Authorise

    def send(self, method: str, path: str, body: bytes = b"", *, authorised: bool = True) -> tuple[int, bytes]:
        """The status and body of one request."""
        parts = urlsplit(self.url + path)
        headers = dict(JSON if body else {})
        if authorised:
            headers |= self.authorise(method, self.url + path, body)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, parts.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def predict(self, instances: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """The parsed answer to rows. Raises CallError unless it is a 200."""
        status, body = self.send("POST", PREDICT, json.dumps({"instances": instances}).encode())
        if status != http.client.OK:
            raise CallError(f"POST {PREDICT} answered {status}: {body.decode(errors='replace')[:500]}")
        answer: Mapping[str, Any] = json.loads(body)
        return answer

    def replay(self, golden: Golden, contract: Contract, tolerance: float) -> Agreement:
        """How the endpoint's answers agree with golden rows."""
        return compare(golden, contract, replay(golden, contract, self.predict), tolerance)


def caller_of(front: ApiFront, auth: str, aws: EmulatedAws, clients: Clients, outputs: Mapping[str, str]) -> Caller:
    """A caller with what this endpoint's authorisation asks for."""
    return Caller(front.url, _authorise(front, auth, aws, clients, outputs))


def _authorise(front: ApiFront, auth: str, aws: EmulatedAws, clients: Clients, outputs: Mapping[str, str]) -> Authorise:
    match auth:
        case "iam":
            return lambda method, url, body: sign(method, url, body, aws.credentials, aws.region, JSON if body else {})
        case "jwt":
            token = token_of(front)
            return lambda _method, _url, _body: {"authorization": f"Bearer {token}"}
        case "api_key":
            key = clients("apigateway").get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)["value"]
            return lambda _method, _url, _body: {"x-api-key": key}
        case "none":
            return lambda _method, _url, _body: {}
    raise LightshipError(f"The rehearsal doesn't know how to call an endpoint with auth = {auth!r}.")


def token_of(front: ApiFront) -> str:
    """A token from the stand-in for the API's issuer, for its first audience."""
    if not isinstance(front.api, HttpApi) or not front.api.issuers:
        raise LightshipError("This API has no JWT authoriser.")
    (name, issuer), *_ = front.api.issuers.items()
    return issuer.token(front.api.audiences[name][0])
