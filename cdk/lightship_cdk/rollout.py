"""How a new version gets traffic: golden rows first, then a gradual shift that its own alarms undo."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lightship_cdk.checks import accept
from lightship_cdk.custody import Custody
from lightship_cdk.function import ALIAS, PredictFunction
from lightship_cdk.interfaces import as_function, as_role, principal
from lightship_cdk.roles import accept_any_resource, allow, allow_logging, closed, create_role
from lightship_cdk.runtime_code import HOOK
from lightship_cdk.settings import RolloutSettings, Shift
from lightship_cdk.settings_error import SettingsError

HOOK_TIMEOUT_S = 300
KEPT_DAYS = 14
# CodeDeploy polls at most ten alarms.
MAX_ALARMS = 10
# For a release that was never proven, since its proof would have set it.
DEFAULT_TOLERANCE = 1e-6
SHIFTS: dict[Shift, codedeploy.ILambdaDeploymentConfig] = {
    "AllAtOnce": codedeploy.LambdaDeploymentConfig.ALL_AT_ONCE,
    "Canary10Percent5Minutes": codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
    "Canary10Percent10Minutes": codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_10_MINUTES,
    "Canary10Percent15Minutes": codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_15_MINUTES,
    "Canary10Percent30Minutes": codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_30_MINUTES,
    "Linear10PercentEvery1Minute": codedeploy.LambdaDeploymentConfig.LINEAR_10_PERCENT_EVERY_1_MINUTE,
    "Linear10PercentEvery2Minutes": codedeploy.LambdaDeploymentConfig.LINEAR_10_PERCENT_EVERY_2_MINUTES,
    "Linear10PercentEvery3Minutes": codedeploy.LambdaDeploymentConfig.LINEAR_10_PERCENT_EVERY_3_MINUTES,
    "Linear10PercentEvery10Minutes": codedeploy.LambdaDeploymentConfig.LINEAR_10_PERCENT_EVERY_10_MINUTES,
}


class Rollout(Construct):
    """CodeDeploy's deployment group for a function's alias, its hook, and the gate of the first deployment.

    Hooks run only when an existing alias changes version. So the first time, a custom resource that the alias waits
    for makes the same function replay the same rows.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the CDK's own name)
        *,
        function: PredictFunction,
        stage: str,
        alarms: Sequence[cloudwatch.IAlarm],
        custody: Custody,
        settings: RolloutSettings | None = None,
    ) -> None:
        super().__init__(scope, id)
        settings = settings or RolloutSettings()
        if len(alarms) > MAX_ALARMS:
            raise SettingsError(f"{len(alarms)} alarms may undo the shift; CodeDeploy takes {MAX_ALARMS}. Give fewer.")
        self.hook = self._hook(function, stage, custody, settings)
        self.application = codedeploy.LambdaApplication(self, "Application")
        self.group = codedeploy.LambdaDeploymentGroup(
            self,
            "Group",
            application=self.application,
            alias=function.alias,
            deployment_config=SHIFTS[settings.shift],
            role=closed(self._role(function)),
            pre_hook=as_function(self.hook),
            alarms=list(alarms),
            auto_rollback=codedeploy.AutoRollbackConfig(
                failed_deployment=True, stopped_deployment=True, deployment_in_alarm=bool(alarms)
            ),
        )
        self.failures = self._count_failures()
        # Apart from the role, which the group's own role waits for; the shift needs it, so the alias waits instead.
        report = iam.Policy(
            self,
            "HookReports",
            roles=[as_role(self.hook_role)],
            statements=[allow(["codedeploy:PutLifecycleEventHookExecutionStatus"], self.group.deployment_group_arn)],
        )
        gate = cdk.CustomResource(
            self,
            "FirstDeployment",
            service_token=self.hook.function_arn,
            resource_type="Custom::LightshipFirstDeployment",
            service_timeout=cdk.Duration.seconds(HOOK_TIMEOUT_S + 60),
        )
        function.alias.node.add_dependency(gate, report)

    def _hook(
        self, function: PredictFunction, stage: str, custody: Custody, settings: RolloutSettings
    ) -> lambda_.Function:
        log_group = custody.log_group(self, "HookLogs")
        version = function.version.function_arn
        statements = [allow_logging(log_group.log_group_arn), allow(["lambda:InvokeFunction"], version)]
        self.hook_role = create_role(self, "HookRole", "lambda.amazonaws.com", statements)
        proof = function.release.manifest.proof
        hook = lambda_.Function(
            self,
            "Hook",
            description="Replays the golden rows on a new version before it gets traffic",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=HOOK.handler,
            code=HOOK.asset(function.release, "Hook"),
            role=closed(self.hook_role),
            log_group=log_group,
            memory_size=512,
            timeout=cdk.Duration.seconds(HOOK_TIMEOUT_S),
            environment={
                "LIGHTSHIP_VERSION": version,
                "LIGHTSHIP_TOLERANCE": repr(DEFAULT_TOLERANCE if proof is None else proof.tolerance),
                "LIGHTSHIP_LATENCY_MS": repr(settings.hook_latency_ms),
                "LIGHTSHIP_SERVICE": function.release.manifest.name,
                "LIGHTSHIP_STAGE": stage,
            },
        )
        accept(hook, "AwsSolutions-L1", "The runtime modules it is made of are tested on this Python.")
        return hook

    def _count_failures(self) -> events.CfnRule:
        """A rule over the shifts that fail: EventBridge counts what it matches, and an alarm watches the count. The
        events themselves are kept for two weeks, for whoever wants to read one."""
        queue = sqs.Queue(
            self,
            "Failed",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(KEPT_DAYS),
        )
        accept(queue, "AwsSolutions-SQS3", "Nothing consumes it: it keeps events to be read by people.")
        rule = events.CfnRule(
            self,
            "Failures",
            description="Shifts of traffic that failed or were stopped",
            event_pattern={
                "source": ["aws.codedeploy"],
                "detail-type": ["CodeDeploy Deployment State-change Notification"],
                "detail": {"state": ["FAILURE", "STOP"], "application": [self.application.application_name]},
            },
            targets=[events.CfnRule.TargetProperty(id="Kept", arn=queue.queue_arn)],
        )
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="FailuresAreKept",
                principals=[principal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
            )
        )
        return rule

    def _role(self, function: PredictFunction) -> iam.Role:
        """CodeDeploy's own policy would let it into every function and topic; this one names ours."""
        arn = function.function.function_arn
        moving = ["lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"]
        statements = [
            allow(moving, arn, f"{arn}:{ALIAS}"),
            allow(["lambda:InvokeFunction"], self.hook.function_arn),
            allow(["cloudwatch:DescribeAlarms"], "*"),
        ]
        role = create_role(self, "Role", "codedeploy.amazonaws.com", statements)
        accept_any_resource(role, "CloudWatch may ask for every alarm, even where one is named.")
        return role
