"""Two settings of Lambda's that moto has no place for: the runtime's update mode, and provisioned concurrency."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote

from lightship.rehearsal.emulator.clients import Clients

RUNTIME = re.compile(r"^/2021-07-20/functions/([^/]+)/runtime-management-config$")
PROVISIONED = re.compile(r"^/2019-09-30/functions/([^/]+)/provisioned-concurrency$")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]


class LambdaExtras:
    """Answers those REST paths, or says that they are none of its own."""

    def __init__(self, aws: Clients) -> None:
        self._aws = aws
        self._runtime: dict[str, dict[str, Any]] = {}
        self._provisioned: dict[tuple[str, str], dict[str, Any]] = {}

    def __call__(self, method: str, path: str, query: str, body: Callable[[], bytes]) -> Answer | None:
        if found := RUNTIME.match(path):
            return self._runtime_config(method, unquote(found[1]), body)
        if found := PROVISIONED.match(path):
            qualifier = parse_qs(query).get("Qualifier", [""])[0]
            return self._concurrency(method, unquote(found[1]), qualifier, body)
        return None

    def _runtime_config(self, method: str, function: str, body: Callable[[], bytes]) -> Answer:
        arn = self._aws("lambda").get_function_configuration(FunctionName=function)["FunctionArn"]
        if method == "PUT":
            self._runtime[arn] = json.loads(body())
        return Answer(200, {"UpdateRuntimeOn": "Auto", **self._runtime.get(arn, {}), "FunctionArn": arn})

    def _concurrency(self, method: str, function: str, qualifier: str, body: Callable[[], bytes]) -> Answer:
        key = (function, qualifier)
        if method == "PUT":
            wanted = json.loads(body())["ProvisionedConcurrentExecutions"]
            self._provisioned[key] = {
                "RequestedProvisionedConcurrentExecutions": wanted,
                "AvailableProvisionedConcurrentExecutions": wanted,
                "AllocatedProvisionedConcurrentExecutions": wanted,
                "Status": "READY",
                "LastModified": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S+0000}",
            }
            return Answer(202, self._provisioned[key])
        if method == "DELETE":
            self._provisioned.pop(key, None)
            return Answer(204, {})
        if key not in self._provisioned:
            return Answer(404, {"Type": "User", "Message": f"No Provisioned Concurrency Config found for {function}"})
        return Answer(200, self._provisioned[key])
