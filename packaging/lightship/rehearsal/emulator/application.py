"""The emulator's one HTTP endpoint: refuses strangers, then hands each request to the service it is signed for."""

import json
import sys
import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from lightship.rehearsal.emulator.access import credential_of, refusal
from lightship.rehearsal.emulator.cloudformation.api import Api
from lightship.rehearsal.emulator.cloudformation.errors import CloudFormationError
from lightship.rehearsal.emulator.codedeploy import CodeDeploy, CodeDeployError
from lightship.rehearsal.emulator.lambda_extras import LambdaExtras
from lightship.rehearsal.emulator.mailbox import MAILBOX, PREFIX
from lightship.rehearsal.emulator.wire import parse_query, query_error, query_response
from lightship_runtime.errors import LightshipError

type Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
type Reply = tuple[int, str, bytes]

REASONS = {200: "OK", 202: "Accepted", 204: "No Content", 400: "Bad Request", 403: "Forbidden", 404: "Not Found"}


class Application:
    """A WSGI application over our own services and moto's."""

    def __init__(
        self,
        *,
        moto: Wsgi,
        cloudformation: Api,
        codedeploy: CodeDeploy,
        lambda_extras: LambdaExtras,
        is_known_key: Callable[[str], bool],
    ) -> None:
        self._moto = moto
        self._cloudformation = cloudformation
        self._codedeploy = codedeploy
        self._lambda_extras = lambda_extras
        self._is_known_key = is_known_key

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        reply = self._own(environ)
        if reply is None:
            try:
                return self._moto(environ, start_response)
            except NotImplementedError as error:
                # A client would try a 500 again.
                told = {"__type": "UnknownOperationException", "message": f"The emulation: {error}"}
                reply = 400, "application/x-amz-json-1.1", json.dumps(told).encode()
        status, media_type, body = reply
        headers = [("Content-Type", media_type), ("Content-Length", str(len(body)))]
        start_response(f"{status} {REASONS.get(status, 'Error')}", headers)
        return [body]

    def _own(self, environ: dict[str, Any]) -> Reply | None:
        path = environ.get("PATH_INFO", "/")
        if path.startswith(PREFIX) and environ["REQUEST_METHOD"] == "PUT":
            return (200 if MAILBOX.deliver(path, _body(environ)) else 404), "text/plain", b""
        if reason := refusal(environ, self._is_known_key):
            return 403, "text/xml", query_error("InvalidClientTokenId", reason, str(uuid.uuid4()))
        credential = credential_of(environ)
        match credential[1] if credential else "":
            case "cloudformation":
                return self._answer_query(_body(environ))
            case "codedeploy":
                return self._answer_codedeploy(environ)
            case "lambda":
                return self._answer_lambda(environ, path)
        return None

    def _answer_query(self, body: bytes) -> Reply:
        request_id = str(uuid.uuid4())
        try:
            name, given = parse_query("cloudformation", body)
            output = self._cloudformation(name, given)
            return 200, "text/xml", query_response("cloudformation", name, output, request_id)
        except CloudFormationError as error:
            return 400, "text/xml", query_error(error.code, str(error), request_id)
        except (LightshipError, ClientError, KeyError) as error:
            traceback.print_exc(file=sys.stderr)
            return 400, "text/xml", query_error("ValidationError", str(error), request_id)

    def _answer_codedeploy(self, environ: Mapping[str, Any]) -> Reply:
        action = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[2]
        try:
            output = self._codedeploy(action, json.loads(_body(environ) or b"{}"))
        except CodeDeployError as error:
            told = {"__type": error.code, "message": str(error)}
            return 400, "application/x-amz-json-1.1", json.dumps(told).encode()
        return 200, "application/x-amz-json-1.1", json.dumps(output).encode()

    def _answer_lambda(self, environ: Mapping[str, Any], path: str) -> Reply | None:
        method, query = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
        answer = self._lambda_extras(method, path, query, lambda: _body(environ))
        if answer is None:
            return None
        return answer.status, "application/json", b"" if answer.status == 204 else json.dumps(answer.body).encode()


def _body(environ: Mapping[str, Any]) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length)
    return body
