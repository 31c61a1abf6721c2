"""The HTTP API: closed by IAM signatures or tokens, throttled, and logged."""

import json
from typing import assert_never, cast

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from lightship_cdk.api import FEEDBACK_PATH, ROUTES, ApiMetrics, access_log_format
from lightship_cdk.checks import accept
from lightship_cdk.custody import Custody
from lightship_cdk.interfaces import as_function
from lightship_cdk.settings import Domain, EndpointSettings

METRICS = {"count": "Count", "server_errors": "5xx", "client_errors": "4xx", "latency": "Latency"}


class HttpEndpoint(Construct):
    """An HTTP API before an alias. `url` has no path; `metrics` says where CloudWatch finds its numbers."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the CDK's own name)
        *,
        name: str,
        alias: lambda_.Alias,
        custody: Custody,
        settings: EndpointSettings | None = None,
    ) -> None:
        super().__init__(scope, id)
        settings = settings or EndpointSettings()
        self.api = apigateway.HttpApi(
            self,
            "Api",
            api_name=name,
            create_default_stage=False,
            default_authorizer=self._authorizer(settings),
            cors_preflight=_cors(settings),
            # A caller must not go around the name, and its certificate, that the service is known by.
            disable_execute_api_endpoint=settings.domain is not None,
        )
        integration = integrations.HttpLambdaIntegration("Predict", as_function(alias), scope_permission_to_route=False)
        for method, path in ROUTES:
            self.api.add_routes(path=path, methods=[apigateway.HttpMethod(method)], integration=integration)
        self.stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(rate_limit=settings.rate, burst_limit=settings.burst),
        )
        log_group = custody.log_group(self, "AccessLogs")
        stage = cast("apigateway.CfnStage", self.stage.node.default_child)
        stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=log_group.log_group_arn, format=json.dumps(access_log_format("http"))
        )
        self.url = self._domain_url(settings.domain) if settings.domain else self.api.api_endpoint
        self.api_id = self.api.api_id
        self.metrics = ApiMetrics({"ApiId": self.api.api_id}, METRICS)

    def add_feedback(self, function: lambda_.Function) -> None:
        """Put a function behind `POST /feedback`, for those who may also call `/predict`. With `iam` each route is a
        resource of its own, so that a caller's policy can allow the one without the other."""
        integration = integrations.HttpLambdaIntegration("Feedback", as_function(function))
        self.api.add_routes(path=FEEDBACK_PATH, methods=[apigateway.HttpMethod.POST], integration=integration)

    def _authorizer(self, settings: EndpointSettings) -> apigateway.IHttpRouteAuthorizer:
        match settings.auth:
            case "iam":
                return cast("apigateway.IHttpRouteAuthorizer", authorizers.HttpIamAuthorizer())
            case "jwt":
                return self._jwt_authorizer(settings)
            case "none":
                self._accept_openness()
                return cast("apigateway.IHttpRouteAuthorizer", apigateway.HttpNoneAuthorizer())
            case "api_key":
                raise ValueError("An HTTP API knows no API keys; use RestEndpoint.")
            case _:
                assert_never(settings.auth)

    def _jwt_authorizer(self, settings: EndpointSettings) -> apigateway.IHttpRouteAuthorizer:
        if settings.jwt is None:
            raise ValueError("auth jwt without an issuer")
        authorizer = authorizers.HttpJwtAuthorizer(
            "Tokens", settings.jwt.issuer, jwt_audience=list(settings.jwt.audience)
        )
        return cast("apigateway.IHttpRouteAuthorizer", authorizer)

    def _accept_openness(self) -> None:
        cdk.Annotations.of(self).add_warning_v2(
            "lightship:open-endpoint",
            'auth = "none": anybody who knows the address can call this endpoint, at your cost. '
            'Use "iam" or "jwt" unless that is what you want.',
        )
        accept(self, "AwsSolutions-APIG4", 'The configuration says auth = "none", and synth warns of it.')

    def _domain_url(self, domain: Domain) -> str:
        name = apigateway.DomainName(
            self,
            "Domain",
            domain_name=domain.name,
            certificate=certificates.Certificate.from_certificate_arn(self, "Certificate", domain.certificate_arn),
        )
        apigateway.ApiMapping(self, "Mapping", api=self.api, domain_name=name, stage=self.stage)
        cdk.CfnOutput(self, "DomainTarget", value=name.regional_domain_name, description=f"Point {domain.name} here")
        return f"https://{domain.name}"


def _cors(settings: EndpointSettings) -> apigateway.CorsPreflightOptions | None:
    if not settings.cors_origins:
        return None
    return apigateway.CorsPreflightOptions(
        allow_origins=list(settings.cors_origins),
        allow_methods=[apigateway.CorsHttpMethod.GET, apigateway.CorsHttpMethod.POST],
        allow_headers=["authorization", "content-type", "x-amz-date", "x-amz-security-token"],
        max_age=cdk.Duration.hours(1),
    )
