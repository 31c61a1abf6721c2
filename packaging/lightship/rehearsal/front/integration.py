"""How API Gateway calls a function: by the ARN that is configured, if the function's policy lets this API."""

import json
from fnmatch import fnmatchcase
from typing import Any

from lightship.lambda_host.worker import MAX_PAYLOAD
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.emulator.resources.lambda_ import split_arn


class NotPermittedError(Exception):
    """The function's resource policy doesn't let this API call it."""


class EventTooLargeError(Exception):
    """The event is over what Lambda takes."""


def function_arn(uri: str) -> str:
    """The function in an integration's URI, which for REST APIs wraps the ARN."""
    return uri.partition("/functions/")[2].removesuffix("/invocations") or uri


def invoke(clients: Clients, arn: str, event: dict[str, Any], source_arn: str) -> tuple[bytes, bool]:
    """The function's answer and whether it failed. Raises NotPermittedError, EventTooLargeError."""
    if not is_permitted(clients, arn, source_arn):
        raise NotPermittedError(f"The policy of {arn} doesn't let {source_arn} invoke it.")
    body = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
    if len(body) > MAX_PAYLOAD:
        raise EventTooLargeError
    answer = clients("lambda").invoke(FunctionName=arn, Payload=body)
    return answer["Payload"].read(), "FunctionError" in answer


def is_permitted(clients: Clients, arn: str, source_arn: str) -> bool:
    """Whether a statement of the function's policy admits API Gateway on behalf of `source_arn`."""
    lambda_ = clients("lambda")
    name, qualifier = split_arn(arn)
    which = {"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {})
    try:
        policy = json.loads(lambda_.get_policy(**which)["Policy"])
    except lambda_.exceptions.ResourceNotFoundException:
        return False
    return any(_admits(statement, arn, source_arn) for statement in policy["Statement"])


def _admits(statement: dict[str, Any], arn: str, source_arn: str) -> bool:
    principal = statement.get("Principal", {})
    if statement["Effect"] != "Allow" or principal.get("Service") != "apigateway.amazonaws.com":
        return False
    if statement["Action"] not in {"lambda:InvokeFunction", "lambda:*"} or statement["Resource"] != arn:
        return False
    condition = statement.get("Condition", {}).get("ArnLike", {})
    pattern = condition.get("AWS:SourceArn") or condition.get("aws:SourceArn")
    return pattern is None or fnmatchcase(source_arn, pattern)
