"""Serves a stage of a deployed REST API: keys, usage plans and quotas as configured."""

import threading
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from lightship.gateway import GatewayContext, HttpRequest, HttpResponse
from lightship.gateway import rest_api as gateway
from lightship.gateway.messages import message
from lightship.rehearsal.aws import RunCredentials
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.front.access_log import AccessLog
from lightship.rehearsal.front.integration import EventTooLargeError, NotPermittedError, function_arn, invoke
from lightship.rehearsal.front.routes import Match, best
from lightship.rehearsal.front.signatures import is_signed
from lightship.rehearsal.front.throttle import TokenBucket
from lightship_runtime.errors import LightshipError

LIMIT_EXCEEDED = message(429, "Limit Exceeded")
INTERNAL_ERROR = message(500, "Internal server error")


class RestApi:
    """One API's stage, as it was when this was made. Its paths begin with the stage's name."""

    def __init__(self, clients: Clients, credentials: RunCredentials, api_id: str, stage: str) -> None:
        client = clients("apigateway")
        self._clients = clients
        self._credentials = credentials
        self.api_id, self.stage = api_id, stage
        items = client.get_resources(restApiId=api_id, embed=["methods"], limit=500)["items"]
        self._resources = {item["path"]: item.get("resourceMethods", {}) for item in items}
        settings = client.get_stage(restApiId=api_id, stageName=stage)
        methods = settings.get("methodSettings", {}).get("*/*", {})
        self._bucket = _bucket(methods)
        self._access_log = AccessLog(clients, settings.get("accessLogSettings"))
        self._keys = UsagePlans(clients, api_id, stage)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """What a caller gets."""
        context: dict[str, Any] = {"httpMethod": request.method, "path": request.path, "stage": self.stage}
        response = self._answer(request, context)
        self._access_log.write(request, response, context)
        return response

    def _answer(self, request: HttpRequest, log: dict[str, Any]) -> HttpResponse:
        prefix = f"/{self.stage}"
        if not f"{request.path}/".startswith(f"{prefix}/"):
            return gateway.FORBIDDEN
        path = request.path.removeprefix(prefix) or "/"
        found = best(self._resources, path)
        methods = self._resources[found.template] if found else {}
        name = request.method if request.method in methods else "ANY"
        if found is None or name not in methods:
            return gateway.NOT_FOUND
        log["resourcePath"] = found.template
        identity: dict[str, Any] = {}
        refused = self._refusal(methods[name], request, identity)
        log |= {f"identity.{key}": item for key, item in identity.items()}
        return refused or self._integrate(request, path, found, (name, methods[name]), identity, log)

    def _refusal(
        self, method: Mapping[str, Any], request: HttpRequest, identity: dict[str, Any]
    ) -> HttpResponse | None:
        match method.get("authorizationType", "NONE"):
            case "NONE":
                pass
            case "AWS_IAM":
                if not is_signed(request, self._credentials, self._clients.region):
                    return gateway.NOT_FOUND
            case other:
                raise LightshipError(f"The rehearsal doesn't know the authorisation {other!r}.")
        if method.get("apiKeyRequired"):
            refused = self._keys.refusal(request.header("x-api-key"), identity)
            if refused:
                return refused
        return None if self._bucket.take() else gateway.TOO_MANY

    def _integrate(
        self,
        request: HttpRequest,
        path: str,
        found: Match,
        method: tuple[str, Mapping[str, Any]],
        identity: Mapping[str, Any],
        log: dict[str, Any],
    ) -> HttpResponse:
        name, settings = method
        context = GatewayContext(
            resource=found.template,
            stage=self.stage,
            api_id=self.api_id,
            account=self._clients.account,
            path_parameters=found.parameters,
            identity=identity,
        )
        log["requestId"] = context.request_id
        inner = HttpRequest(request.method, path, request.query, request.headers, request.body, request.scheme)
        source = f"{self.api_id}/{self.stage}/{name}{found.template}"
        arn = f"arn:aws:execute-api:{self._clients.region}:{self._clients.account}:{source}"
        try:
            function = function_arn(settings["methodIntegration"]["uri"])
            payload, error = invoke(self._clients, function, gateway.to_event(inner, context), arn)
        except EventTooLargeError:
            return gateway.TOO_LARGE
        except (NotPermittedError, ClientError) as failure:
            log["error.message"] = str(failure)
            return INTERNAL_ERROR
        return gateway.to_response(payload, error=error)


class UsagePlans:
    """The keys that may call a stage, each with its plan's quota and throttle."""

    def __init__(self, clients: Clients, api_id: str, stage: str) -> None:
        client = clients("apigateway")
        self._plans: dict[str, dict[str, Any]] = {}
        self._left: dict[str, int] = {}
        self._buckets: dict[str, TokenBucket] = {}
        self._lock = threading.Lock()
        for plan in client.get_usage_plans(limit=500)["items"]:
            if not any((item["apiId"], item["stage"]) == (api_id, stage) for item in plan.get("apiStages", [])):
                continue
            for key in client.get_usage_plan_keys(usagePlanId=plan["id"], limit=500)["items"]:
                self._add(client.get_api_key(apiKey=key["id"], includeValue=True), plan)

    def _add(self, key: Mapping[str, Any], plan: dict[str, Any]) -> None:
        if not key.get("enabled"):
            return
        value = key["value"]
        self._plans[value] = {"apiKeyId": key["id"], "apiKey": value}
        self._left[value] = int(plan.get("quota", {}).get("limit", 1 << 62))
        throttle = plan.get("throttle", {})
        self._buckets[value] = TokenBucket(throttle.get("rateLimit", 10_000), throttle.get("burstLimit", 5_000))

    def refusal(self, value: str | None, identity: dict[str, Any]) -> HttpResponse | None:
        """The refusal of a key, or None having counted one request of its quota."""
        if value is None or value not in self._plans:
            return gateway.FORBIDDEN
        identity.update(self._plans[value])
        if not self._buckets[value].take():
            return gateway.TOO_MANY
        with self._lock:
            if self._left[value] <= 0:
                return LIMIT_EXCEEDED
            self._left[value] -= 1
        return None


def _bucket(settings: Mapping[str, Any]) -> TokenBucket:
    return TokenBucket(settings.get("throttlingRateLimit", 10_000), settings.get("throttlingBurstLimit", 5_000))
