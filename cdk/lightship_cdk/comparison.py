"""Disagreement between versions: sampled requests, replayed on another version and counted.

It rides on the log: the predicting function prints its samples, and this function, subscribed to them, asks the other
version. Callers wait for none of it.
"""

from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_logs_destinations as destinations
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lightship_cdk.checks import accept
from lightship_cdk.custody import Custody
from lightship_cdk.function import ALIAS, PredictFunction
from lightship_cdk.interfaces import as_function
from lightship_cdk.roles import allow, allow_logging, closed, create_role
from lightship_cdk.runtime_code import COMPARE
from lightship_cdk.settings import ComparisonSettings
from lightship_runtime.sampling import KEY
from lightship_runtime.telemetry import NAMESPACE

TIMEOUT_S = 120
RETENTION_DAYS = 7


class Comparison(Construct):
    """Compares what `live` answers with the other version of its shifting alias, or with `shadow`.

    `failures` holds the deliveries that couldn't be handled. The samples must be printed: see `ComparisonSettings`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the CDK's own name)
        *,
        live: PredictFunction,
        stage: str,
        custody: Custody,
        settings: ComparisonSettings,
        shadow: PredictFunction | None = None,
    ) -> None:
        super().__init__(scope, id)
        candidate = shadow or live
        self.failures = sqs.Queue(
            self,
            "Failures",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(RETENTION_DAYS),
        )
        log_group = custody.log_group(self, "Logs")
        self.function = lambda_.Function(
            self,
            "Function",
            description="Replays sampled requests on another version and counts disagreements",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=COMPARE.handler,
            code=COMPARE.asset(live.release, "Compare"),
            role=closed(self._role(live, shadow, log_group.log_group_arn)),
            log_group=log_group,
            memory_size=256,
            timeout=cdk.Duration.seconds(TIMEOUT_S),
            dead_letter_queue=self.failures,
            environment={
                "LIGHTSHIP_CANDIDATE": candidate.version.function_arn,
                "LIGHTSHIP_ALIAS": "" if shadow else f"{live.function.function_arn}:{ALIAS}",
                "LIGHTSHIP_TOLERANCE": repr(settings.tolerance),
                "LIGHTSHIP_SERVICE": live.release.manifest.name,
                "LIGHTSHIP_STAGE": stage,
                "LIGHTSHIP_RELEASE": candidate.release.manifest.version,
            },
        )
        accept(self.function, "AwsSolutions-L1", "The runtime modules it is made of are tested on this Python.")
        destination = destinations.LambdaDestination(as_function(self.function))
        logs.SubscriptionFilter(
            self,
            "Samples",
            log_group=live.log_group,
            destination=cast("logs.ILogSubscriptionDestination", destination),
            filter_pattern=logs.FilterPattern.exists(f"$.{KEY}.executed"),
        )

        # A shift that begins must find its candidate here.
        live.alias.node.add_dependency(self)
        self._dimensions = {
            "Service": live.release.manifest.name,
            "Stage": stage,
            "Version": candidate.release.manifest.version,
        }

    def metric(self, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        """`Compared`, `Disagreed` and `CompareFailed` count rows; `CompareLatency` is in milliseconds."""
        return cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=name,
            dimensions_map=self._dimensions,
            statistic=statistic,
            period=cdk.Duration.minutes(1),
        )

    def _role(self, live: PredictFunction, shadow: PredictFunction | None, log_group_arn: str) -> iam.Role:
        statements = [
            allow_logging(log_group_arn),
            allow(["sqs:SendMessage"], self.failures.queue_arn),
        ]
        arn = live.function.function_arn
        if shadow:
            statements.append(allow(["lambda:InvokeFunction"], shadow.version.function_arn))
            return create_role(self, "Role", "lambda.amazonaws.com", statements)
        statements += [
            allow(["lambda:GetAlias"], arn, f"{arn}:{ALIAS}"),
            allow(["lambda:InvokeFunction"], f"{arn}:*"),
        ]
        role = create_role(self, "Role", "lambda.amazonaws.com", statements)
        function = cdk.Stack.of(self).get_logical_id(cast("lambda_.CfnFunction", live.function.node.default_child))
        finding = f"AwsSolutions-IAM5[Resource::<{function}.Arn>:*]"
        accept(role, finding, "The number of the version before this one is only known while they shift.")
        return role
