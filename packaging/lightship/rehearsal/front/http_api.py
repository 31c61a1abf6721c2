"""Serves a deployed HTTP API: what it does with a request is read from the API's own configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lightship.gateway import GatewayContext, HttpRequest, HttpResponse, message
from lightship.gateway.http_api import FORBIDDEN, INTERNAL_ERROR, NOT_FOUND, TOO_LARGE, to_event, to_response
from lightship.rehearsal.aws import RunCredentials
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.front.access_log import AccessLog
from lightship.rehearsal.front.integration import EventTooLargeError, NotPermittedError, function_arn, invoke
from lightship.rehearsal.front.routes import best
from lightship.rehearsal.front.signatures import is_signed
from lightship.rehearsal.front.throttle import TokenBucket
from lightship.rehearsal.front.tokens import LocalIssuer
from lightship_runtime.errors import LightshipError

UNAUTHORIZED = message(401, "Unauthorized")
TOO_MANY = message(429, "Too Many Requests")
DEFAULT = "$default"


@dataclass(frozen=True)
class Refused(Exception):  # noqa: N818 - an answer, and no error of ours
    """A request that the authoriser turns away."""

    response: HttpResponse


class HttpApi:
    """One API and its `$default` stage, as they were when this was made."""

    def __init__(self, clients: Clients, credentials: RunCredentials, api_id: str) -> None:
        gateway = clients("apigatewayv2")
        self._clients = clients
        self._credentials = credentials
        self.api_id = api_id
        self._routes = {route["RouteKey"]: route for route in gateway.get_routes(ApiId=api_id)["Items"]}
        integrations = gateway.get_integrations(ApiId=api_id)["Items"]
        self._integrations = {item["IntegrationId"]: item for item in integrations}
        # One by one, because moto can't list them.
        names = {route["AuthorizerId"] for route in self._routes.values() if route.get("AuthorizerId")}
        self._authorizers = {name: gateway.get_authorizer(ApiId=api_id, AuthorizerId=name) for name in names}
        stages = {stage["StageName"]: stage for stage in gateway.get_stages(ApiId=api_id)["Items"]}
        if DEFAULT not in stages:
            raise LightshipError(f"The HTTP API {api_id} has no {DEFAULT} stage, only {', '.join(stages) or 'none'}.")
        self._bucket = _bucket(stages[DEFAULT].get("DefaultRouteSettings", {}))
        self._access_log = AccessLog(clients, stages[DEFAULT].get("AccessLogSettings"))
        configurations = [
            item["JwtConfiguration"] for item in self._authorizers.values() if item["AuthorizerType"] == "JWT"
        ]
        self.issuers = {item["Issuer"]: LocalIssuer(item["Issuer"]) for item in configurations}
        self.audiences = {item["Issuer"]: list(item["Audience"]) for item in configurations}

    def answer(self, request: HttpRequest) -> HttpResponse:
        """What a caller gets."""
        route_key, parameters = self._route(request)
        context: dict[str, Any] = {"routeKey": route_key, "httpMethod": request.method, "path": request.path}
        try:
            response = self._answer(request, route_key, parameters, context)
        except Refused as refused:
            response = refused.response
        self._access_log.write(request, response, context)
        return response

    def _answer(
        self, request: HttpRequest, route_key: str | None, parameters: Mapping[str, str], log: dict[str, Any]
    ) -> HttpResponse:
        if route_key is None:
            return NOT_FOUND
        if not self._bucket.take():
            return TOO_MANY
        route = self._routes[route_key]
        authorizer = self._authorize(route, request)
        context = GatewayContext(
            route_key=route_key,
            api_id=self.api_id,
            account=self._clients.account,
            path_parameters=parameters,
            authorizer=authorizer,
        )
        log["requestId"] = context.request_id
        integration = self._integrations[route["Target"].partition("/")[2]]
        method, _, template = route_key.partition(" ")
        source = f"{self.api_id}/{DEFAULT}/{method}{template}" if template else f"{self.api_id}/{DEFAULT}/{DEFAULT}"
        arn = f"arn:aws:execute-api:{self._clients.region}:{self._clients.account}:{source}"
        try:
            function = function_arn(integration["IntegrationUri"])
            payload, error = invoke(self._clients, function, to_event(request, context), arn)
        except EventTooLargeError:
            return TOO_LARGE
        except (NotPermittedError, ClientError) as failure:
            log["integrationErrorMessage"] = str(failure)
            return INTERNAL_ERROR
        return to_response(payload, error=error)

    def _route(self, request: HttpRequest) -> tuple[str | None, Mapping[str, str]]:
        for method in (request.method, "ANY"):
            templates = [key.partition(" ")[2] for key in self._routes if key.partition(" ")[0] == method]
            if found := best(templates, request.path):
                return f"{method} {found.template}", found.parameters
        return (DEFAULT, {}) if DEFAULT in self._routes else (None, {})

    def _authorize(self, route: Mapping[str, Any], request: HttpRequest) -> Mapping[str, Any] | None:
        match route.get("AuthorizationType", "NONE"):
            case "NONE":
                return None
            case "AWS_IAM":
                return self._iam(request)
            case "JWT":
                return self._jwt(route, request)
        raise LightshipError(f"The rehearsal doesn't know the authorisation {route['AuthorizationType']!r}.")

    def _iam(self, request: HttpRequest) -> Mapping[str, Any]:
        if not is_signed(request, self._credentials, self._clients.region):
            raise Refused(FORBIDDEN)
        account = self._clients.account
        user = {
            "accessKey": self._credentials.access_key_id,
            "accountId": account,
            "callerId": account,
            "userArn": f"arn:aws:iam::{account}:root",
            "userId": account,
        }
        return {"iam": user}

    def _jwt(self, route: Mapping[str, Any], request: HttpRequest) -> Mapping[str, Any]:
        configuration = self._authorizers[route["AuthorizerId"]]["JwtConfiguration"]
        token = (request.header("authorization") or "").removeprefix("Bearer ").strip()
        issuer, scopes = self.issuers[configuration["Issuer"]], route.get("AuthorizationScopes") or []
        claims = issuer.claims(token, configuration["Audience"], scopes)
        if claims is None:
            raise Refused(UNAUTHORIZED)
        return {"jwt": {"claims": {name: str(item) for name, item in claims.items()}, "scopes": scopes or None}}


def _bucket(settings: Mapping[str, Any]) -> TokenBucket:
    """The stage's throttle; the account's default where it sets none."""
    return TokenBucket(settings.get("ThrottlingRateLimit", 10_000), settings.get("ThrottlingBurstLimit", 5_000))
