"""The message behind an alarm: a function on both topics that looks up what an engineer needs, and sends it on.

It is a second action. The alarm's own message goes from CloudWatch through the topic to its subscribers without it.
"""

import json
from collections.abc import Mapping
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lightship_cdk.alarm_table import ALARMS, ROWS, AlarmRow, Log, Row
from lightship_cdk.checks import accept, wildcard
from lightship_cdk.custody import Custody
from lightship_cdk.function import ALIAS, PredictFunction
from lightship_cdk.interfaces import as_function, as_role
from lightship_cdk.monitoring_store import RESULTS, MonitoringStore
from lightship_cdk.notifications import Notifications, subscription
from lightship_cdk.roles import allow, allow_logging, closed, create_role
from lightship_cdk.rollout import Rollout
from lightship_cdk.runtime_code import RuntimeCode
from lightship_cdk.settings import Recipients

TIMEOUT_S = 60
MEMORY_MB = 256
RETENTION_DAYS = 14
LATEST = f"{RESULTS}latest.json"
PARAMETER = "ssm:"
_MODULES = ("alarm", "chat", "data", "description", "facts", "gather", "handler", "render", "units", "wording")


def told_of_table() -> dict[str, dict[str, str]]:
    """What a message needs of each alarm by its title, beyond what the alarm itself says."""
    return {
        row.title: {
            "commands": "\n".join(row.commands),
            "log": row.log,
            "metrics": " ".join(sorted(_metrics(row))),
            "query": row.query,
            "unit": row.unit if isinstance(row, AlarmRow) else "",
        }
        for row in ROWS
    }


def _metrics(row: Row) -> set[str]:
    """Names of metrics; a composite looks at its members'."""
    rows = [row] if isinstance(row, AlarmRow) else [each for each in ALARMS if each.id in row.members]
    return {ref.name for each in rows for ref in each.metrics.values()}


NOTIFY = RuntimeCode(
    handler="lightship_runtime.notify.handler.handler",
    modules=("__init__", "errors", "notify/__init__", *(f"notify/{name}" for name in _MODULES)),
    texts={"alarms.json": json.dumps(told_of_table(), sort_keys=True)},
)


class Notifier(Construct):
    """Explains every alarm that goes to `notifications`, to two topics of its own and to chat.

    `options` go behind the commands that a message names. `failures` holds alarms that couldn't be explained, or not
    be told everywhere. `follow` has to be called once there is a rollout, so that messages know when the last
    deployment was.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the CDK's own name)
        *,
        service: str,
        options: str,
        live: PredictFunction,
        notifications: Notifications,
        custody: Custody,
        recipients: Recipients | None = None,
        store: MonitoringStore | None = None,
    ) -> None:
        super().__init__(scope, id)
        recipients = recipients or Recipients()
        self._custody = custody
        self.pages = self._topic("Pages", f"{service}: pages explained", recipients.explained)
        self.tickets = self._topic("Tickets", f"{service}: tickets explained", recipients.explained)
        self.failures = sqs.Queue(
            self,
            "Failures",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(RETENTION_DAYS),
        )
        accept(self.failures, "AwsSolutions-SQS3", "It is itself the dead-letter queue of the function and its topics.")
        log_group = custody.log_group(self, "Logs")
        self._role = self._create_role(live, log_group.log_group_arn, recipients, store)
        self.function = lambda_.Function(
            self,
            "Function",
            description="Explains alarms: values, versions, data, first steps",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=NOTIFY.handler,
            code=NOTIFY.asset(live.release, "Notify"),
            role=closed(self._role),
            log_group=log_group,
            memory_size=MEMORY_MB,
            timeout=cdk.Duration.seconds(TIMEOUT_S),
            # It tries each place twice by itself; running again would tell the others twice.
            retry_attempts=0,
            dead_letter_queue=self.failures,
            environment={
                "LIGHTSHIP_SERVICE": service,
                "LIGHTSHIP_OPTIONS": options,
                "LIGHTSHIP_FUNCTION": live.function.function_name,
                "LIGHTSHIP_ALIAS": ALIAS,
                "LIGHTSHIP_LOG_GROUPS": "{}",
                "LIGHTSHIP_APPLICATION": "",
                "LIGHTSHIP_DEPLOYMENT_GROUP": "",
                "LIGHTSHIP_MONITORING_BUCKET": store.bucket.bucket_name if store else "",
                "LIGHTSHIP_PAGES_TOPIC": notifications.pages.topic_arn,
                "LIGHTSHIP_WRITTEN_PAGES_TOPIC": self.pages.topic_arn,
                "LIGHTSHIP_WRITTEN_TICKETS_TOPIC": self.tickets.topic_arn,
                "LIGHTSHIP_CHAT": " ".join(recipients.chat),
            },
        )
        accept(self.function, "AwsSolutions-L1", "The runtime modules it is made of are tested on this Python.")
        for topic in (notifications.pages, notifications.tickets):
            topic.add_subscription(self._subscription())
        if (recipients.explained or recipients.chat) and not recipients.everyone:
            cdk.Annotations.of(self).add_warning_v2(
                "lightship:only-explained",
                f"Pages of {service} reach nobody but through the function that explains them. List who is on call in "
                "[monitoring] notify, which CloudWatch tells itself.",
            )

    def follow(self, rollout: Rollout, log_groups: Mapping[Log, logs.LogGroup]) -> None:
        """Let messages tell when traffic last moved, and lead to the logs."""
        names = {name: group.log_group_name for name, group in log_groups.items()}
        self.function.add_environment("LIGHTSHIP_LOG_GROUPS", cdk.Stack.of(self).to_json_string(names))
        self.function.add_environment("LIGHTSHIP_APPLICATION", rollout.application.application_name)
        self.function.add_environment("LIGHTSHIP_DEPLOYMENT_GROUP", rollout.group.deployment_group_name)
        reading = allow(["codedeploy:ListDeployments", "codedeploy:GetDeployment"], rollout.group.deployment_group_arn)
        # Apart from the role, which exists before the deployment group.
        iam.Policy(self, "Deployments", roles=[as_role(self._role)], statements=[reading])

    def _topic(self, id: str, name: str, explained: tuple[str, ...]) -> sns.Topic:  # noqa: A002 (the CDK's own name)
        topic = sns.Topic(self, id, display_name=name, master_key=self._custody.key, enforce_ssl=True)
        for recipient in explained:
            topic.add_subscription(subscription(recipient))
        return topic

    def _subscription(self) -> sns.ITopicSubscription:
        made = subscriptions.LambdaSubscription(as_function(self.function), dead_letter_queue=self.failures)
        return cast("sns.ITopicSubscription", made)

    def _create_role(
        self, live: PredictFunction, log_group_arn: str, recipients: Recipients, store: MonitoringStore | None
    ) -> iam.Role:
        stack, arn = cdk.Stack.of(self), live.function.function_arn
        alarms = stack.format_arn(
            service="cloudwatch", resource="alarm", resource_name="*", arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )
        statements = [
            allow_logging(log_group_arn),
            allow(["sqs:SendMessage"], self.failures.queue_arn),
            allow(["sns:Publish"], self.pages.topic_arn, self.tickets.topic_arn),
            allow(["kms:Decrypt", "kms:GenerateDataKey"], self._custody.key.key_arn),
            allow(["lambda:GetAlias", "lambda:ListVersionsByFunction"], arn, f"{arn}:{ALIAS}"),
            allow(["lambda:GetFunctionConfiguration"], f"{arn}:{ALIAS}"),
            allow(["cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory"], alarms),
        ]
        if parameters := [self._parameter(each) for each in recipients.chat if each.startswith(PARAMETER)]:
            statements.append(allow(["ssm:GetParameter"], *parameters))
        if store:
            statements += store.statements(read=[LATEST])
        role = create_role(self, "Role", "lambda.amazonaws.com", statements)
        every = wildcard(self, "arn:<AWS::Partition>:cloudwatch:<AWS::Region>:<AWS::AccountId>:alarm:*")
        accept(role, every, "CloudWatch may ask for every alarm where one is named.")
        return role

    def _parameter(self, written: str) -> str:
        name = written.removeprefix(f"{PARAMETER}/")
        return cdk.Stack.of(self).format_arn(service="ssm", resource="parameter", resource_name=name)
