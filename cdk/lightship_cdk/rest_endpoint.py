"""The REST API, for callers who only have a key: a usage plan, a quota, and optionally a web ACL."""

import json

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from lightship_cdk.api import FEEDBACK_PATH, ROUTES, ApiMetrics, access_log_format
from lightship_cdk.checks import accept
from lightship_cdk.custody import Custody
from lightship_cdk.firewall import protect
from lightship_cdk.interfaces import as_function, principal
from lightship_cdk.settings import Domain, EndpointSettings

STAGE = "live"
METRICS = {"count": "Count", "server_errors": "5XXError", "client_errors": "4XXError", "latency": "Latency"}


class RestEndpoint(Construct):
    """A REST API before an alias, whose every method wants the key `key`. `url` includes the stage."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the CDK's own name)
        *,
        name: str,
        alias: lambda_.Alias,
        custody: Custody,
        settings: EndpointSettings,
    ) -> None:
        super().__init__(scope, id)
        throttle = apigateway.ThrottleSettings(rate_limit=settings.rate, burst_limit=settings.burst)
        self.api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=name,
            endpoint_configuration=apigateway.EndpointConfiguration(types=[apigateway.EndpointType.REGIONAL]),
            disable_execute_api_endpoint=settings.domain is not None,
            default_method_options=apigateway.MethodOptions(api_key_required=True),
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=settings.rate,
                throttling_burst_limit=settings.burst,
                metrics_enabled=True,
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                access_log_destination=apigateway.LogGroupLogDestination(custody.log_group(self, "AccessLogs")),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(access_log_format("rest"))),
            ),
        )
        # Its own output, under a name that nobody can rely on.
        self.api.node.try_remove_child("Endpoint")
        self._allow_logging(custody)
        integration = apigateway.LambdaIntegration(as_function(alias), scope_permission_to_method=False)
        for method, path in ROUTES:
            self.api.root.resource_for_path(path).add_method(method, integration)
        self.key = self.api.add_api_key("Key", description=f"Calls {name}")
        plan = self.api.add_usage_plan(
            "Plan",
            throttle=throttle,
            quota=apigateway.QuotaSettings(limit=settings.quota, period=apigateway.Period(settings.quota_period)),
        )
        plan.add_api_key(self.key)
        plan.add_api_stage(stage=self.api.deployment_stage)
        self._accept_what_a_key_is(settings)
        if settings.waf:
            protect(self, self.api.deployment_stage.stage_arn, rate=settings.rate)
        self.url = self._domain_url(settings.domain) if settings.domain else self.api.url.rstrip("/")
        self.api_id = self.api.rest_api_id
        self.metrics = ApiMetrics({"ApiName": name, "Stage": STAGE}, METRICS)

    def add_feedback(self, function: lambda_.Function) -> None:
        """Put a function behind `POST /feedback`, for those who have a key."""
        integration = apigateway.LambdaIntegration(as_function(function))
        self.api.root.resource_for_path(FEEDBACK_PATH).add_method("POST", integration)

    def _allow_logging(self, custody: Custody) -> None:
        """REST APIs log through one role of the whole account, without which a stage with logs can't be made."""
        role = iam.Role(self, "AccountLogsRole", assumed_by=principal("apigateway.amazonaws.com"))
        role.add_managed_policy(
            iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonAPIGatewayPushToCloudWatchLogs")
        )
        account = apigateway.CfnAccount(self, "AccountLogs", cloud_watch_role_arn=role.role_arn)
        # API Gateway would make this group itself, unencrypted and for ever; its name holds the API's own id.
        name = f"API-Gateway-Execution-Logs_{self.api.rest_api_id}/{STAGE}"
        execution_logs = custody.log_group(self, "ExecutionLogs", name=name)
        self.api.deployment_stage.node.add_dependency(account, execution_logs)
        # Other APIs of the account log through it too, so it stays when this one goes.
        role.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        account.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        accept(
            role,
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
            "AmazonAPIGatewayPushToCloudWatchLogs]",
            "API Gateway's own policy for the one role by which it logs for every REST API of the account.",
        )

    def _accept_what_a_key_is(self, settings: EndpointSettings) -> None:
        cdk.Annotations.of(self).add_warning_v2(
            "lightship:api-key",
            'auth = "api_key": a key identifies a caller and counts against a quota, but doesn\'t authenticate. '
            'Use "iam" or "jwt" where that matters.',
        )
        accept(self, "AwsSolutions-APIG4", 'The configuration says auth = "api_key": every method wants a key.')
        accept(self, "AwsSolutions-COG4", "Callers have a key and no Cognito user.")
        accept(self, "AwsSolutions-APIG2", "The function validates by the model's contract, and answers with a 422.")
        if not settings.waf:
            accept(self, "AwsSolutions-APIG3", "A web ACL costs by the month, and is an option: waf = true.")

    def _domain_url(self, domain: Domain) -> str:
        name = self.api.add_domain_name(
            "Domain",
            domain_name=domain.name,
            certificate=certificates.Certificate.from_certificate_arn(self, "Certificate", domain.certificate_arn),
            security_policy=apigateway.SecurityPolicy.TLS_1_2,
        )
        target = name.domain_name_alias_domain_name
        cdk.CfnOutput(self, "DomainTarget", value=target, description=f"Point {domain.name} here")
        return f"https://{domain.name}"
