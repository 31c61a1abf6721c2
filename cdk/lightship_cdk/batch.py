"""Scheduled scoring: a schedule, a state machine with distributed maps, and the function that does every step."""

import json

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from lightship_cdk.alarms import Alarms
from lightship_cdk.batch_definition import BOOKS, MAP_RESULTS, definition
from lightship_cdk.batch_settings import BatchSettings, place_of
from lightship_cdk.checks import accept, wildcard
from lightship_cdk.custody import Custody
from lightship_cdk.function import ARCHITECTURES, RUNTIMES
from lightship_cdk.monitoring_store import COUNTS, MonitoringStore
from lightship_cdk.network import ANY_INTERFACE, allow_network, place_in
from lightship_cdk.notifications import Notifications
from lightship_cdk.releases import PackagedRelease, RefusedReleaseError
from lightship_cdk.roles import accept_any_resource, allow, allow_logging, closed, create_role
from lightship_cdk.settings import Network
from lightship_cdk.watched import Watched, WatchedBatch

SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
START_RETRIES = 20
START_RETRY_H = 6


class ScheduledBatch(Construct):
    """Scores what is new below the input prefix, at every time of the schedule.

    Raises RefusedReleaseError for a release without batch.zip. The buckets exist already, are in the stack's account,
    and are encrypted by keys that the function may use. Where there is a `store`, a run adds its counts to it. Given
    `notifications` it makes its own alarms; a ModelService watches it with everything else, by `watched`. In a
    `network`, the function has to reach S3 from there.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the CDK's own name)
        *,
        release: PackagedRelease,
        name: str,
        stage: str,
        settings: BatchSettings,
        custody: Custody,
        notifications: Notifications | None = None,
        store: MonitoringStore | None = None,
        network: Network | None = None,
    ) -> None:
        super().__init__(scope, id)
        _refuse_without_batch(release)
        self.settings = settings
        self._store = store
        self._stack = cdk.Stack.of(self)
        self.log_group = custody.log_group(self, "Logs")
        self.function = self._function(release, stage, network)
        self.state_machine = self._state_machine(custody)
        self.dead_letters = sqs.Queue(
            self, "DeadLetters", enforce_ssl=True, retention_period=cdk.Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
        )  # fmt: skip
        accept(self.dead_letters, "AwsSolutions-SQS3", "It is itself the dead-letter queue of the schedule.")
        self.schedule = self._schedule(name)
        self.watched = WatchedBatch(self.state_machine.ref, settings.watch_h, settings.max_reject_share)
        if notifications:
            watched = Watched(
                service=name,
                model=release.manifest.name,
                stage=stage,
                notifications=notifications,
                batch=self.watched,
                queues={"batch": self.dead_letters.queue_name},
                log_groups={"batch": self.log_group},
            )
            self.alarms = Alarms(self, "Alarms", watched=watched)

    def _function(self, release: PackagedRelease, stage: str, network: Network | None) -> lambda_.Function:
        manifest = release.manifest
        place = place_in(self, network)
        function = lambda_.Function(
            self,
            "Function",
            description=f"{manifest.name} {manifest.version[:12]}, batches, packaged by Lightship",
            runtime=RUNTIMES[manifest.python],
            architecture=ARCHITECTURES[manifest.architecture],
            handler=release.artifact("batch").handler,
            code=lambda_.Code.from_asset(release.zip_path("batch")),
            role=closed(self._function_role(network)),
            log_group=self.log_group,
            memory_size=self.settings.memory_mb,
            timeout=cdk.Duration.seconds(self.settings.timeout_s),
            environment=self._environment(stage),
            runtime_management_mode=lambda_.RuntimeManagementMode.FUNCTION_UPDATE,
            vpc=place.vpc,
            vpc_subnets=place.subnets,
            security_groups=place.security_groups,
        )
        accept(self, "AwsSolutions-L1", "The release was proven on this Python, and another needs another release.")
        return function

    def _environment(self, stage: str) -> dict[str, str]:
        counted = {"LIGHTSHIP_MONITORING": self._store.address} if self._store else {}
        return {"LIGHTSHIP_STAGE": stage, "OMP_NUM_THREADS": "1", **counted}

    def _function_role(self, network: Network | None) -> iam.Role:
        """It may read the input, write the output and the monitor's counts, and delete nothing."""
        (source, source_prefix), (sink, sink_prefix) = place_of(self.settings.input), place_of(self.settings.output)
        role = create_role(
            self,
            "FunctionRole",
            "lambda.amazonaws.com",
            [
                allow_logging(self.log_group.log_group_arn),
                *allow_network(network),
                allow(["s3:GetObject"], self._objects(source, source_prefix)),
                allow(["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"], self._objects(sink, sink_prefix)),
                _listing(self._bucket(source), source_prefix),
                _listing(self._bucket(sink), sink_prefix),
                *(self._store.statements(write=[COUNTS]) if self._store else ()),
            ],
        )
        if network:
            accept_any_resource(role, ANY_INTERFACE)
        if self._store:
            self._store.accept_prefixes(role, [COUNTS])
        for bucket, prefix in ((source, source_prefix), (sink, sink_prefix)):
            accept(
                role,
                wildcard(self, self._shown(bucket, prefix)),
                "The objects below this prefix are what a run reads and writes.",
            )
        return role

    def _state_machine(self, custody: Custody) -> sfn.CfnStateMachine:
        name = cdk.Names.unique_resource_name(self, max_length=60, separator="-")
        machine_arn = self._stack.format_arn(
            service="states", resource="stateMachine", resource_name=name, arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
        )
        executions = self._stack.format_arn(
            service="states", resource="execution", resource_name=f"{name}*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )  # fmt: skip
        group = custody.log_group(self, "RunLogs", name=f"/aws/vendedlogs/states/{name}")
        sink, prefix = place_of(self.settings.output)
        role = create_role(
            self,
            "RunRole",
            "states.amazonaws.com",
            [
                allow(["lambda:InvokeFunction"], self.function.function_arn),
                allow(["states:StartExecution"], machine_arn),
                allow(["states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"], executions),
                allow(["s3:GetObject"], self._objects(sink, f"{prefix}{BOOKS}")),
                allow(["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                      self._objects(sink, f"{prefix}{MAP_RESULTS}/")),
                allow(_LOG_DELIVERY, "*"),
            ],
        )  # fmt: skip
        accept_any_resource(role, "CloudWatch Logs has no resource to name for the delivery of vended logs.")
        for finding in (f"{prefix}{BOOKS}", f"{prefix}{MAP_RESULTS}/"):
            accept(
                role,
                wildcard(self, self._shown(sink, finding)),
                "A run's lists and results lie below this prefix.",
            )
        accept(
            role,
            wildcard(self, f"arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:{name}*"),
            "The executions of this state machine and of its maps, whose names are made when they start.",
        )
        machine = sfn.CfnStateMachine(
            self,
            "Runs",
            state_machine_name=name,
            role_arn=role.role_arn,
            # The CDK's own to_json_string drops nulls, and a ResultPath of null is what keeps states small.
            definition_string=json.dumps(definition(self.function.function_arn, self.settings)),
            logging_configuration=sfn.CfnStateMachine.LoggingConfigurationProperty(
                level="ALL",
                include_execution_data=False,
                destinations=[_log_destination(group)],
            ),
            tracing_configuration=sfn.CfnStateMachine.TracingConfigurationProperty(enabled=False),
        )
        accept(machine, "AwsSolutions-SF2", "A run's steps are in its log and its metrics; traces would cost.")
        return machine

    def _schedule(self, name: str) -> scheduler.CfnSchedule:
        settings = self.settings
        role = create_role(
            self,
            "ScheduleRole",
            "scheduler.amazonaws.com",
            [
                allow(["states:StartExecution"], self.state_machine.ref),
                allow(["sqs:SendMessage"], self.dead_letters.queue_arn),
            ],
        )
        window = scheduler.CfnSchedule.FlexibleTimeWindowProperty(
            mode="FLEXIBLE" if settings.flexible_minutes else "OFF",
            maximum_window_in_minutes=settings.flexible_minutes or None,
        )
        return scheduler.CfnSchedule(
            self,
            "Schedule",
            description=f"{name}: score what is new below {settings.input}",
            schedule_expression=settings.schedule,
            schedule_expression_timezone=settings.timezone,
            flexible_time_window=window,
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.state_machine.ref,
                role_arn=role.role_arn,
                # Delivered twice, the same time gives the same run, which is then found done.
                input=json.dumps({"time": SCHEDULED_TIME}),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_retry_attempts=START_RETRIES, maximum_event_age_in_seconds=START_RETRY_H * 3600
                ),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.dead_letters.queue_arn),
            ),
        )

    def _bucket(self, bucket: str) -> str:
        return self._stack.format_arn(service="s3", region="", account="", resource=bucket)

    def _objects(self, bucket: str, prefix: str) -> str:
        return f"{self._bucket(bucket)}/{prefix}*"

    def _shown(self, bucket: str, prefix: str) -> str:
        """The objects as cdk-nag writes them."""
        return f"arn:<AWS::Partition>:s3:::{bucket}/{prefix}*"


def _refuse_without_batch(release: PackagedRelease) -> None:
    if "batch" in release.manifest.artifacts:
        return
    reason = str(release.manifest.notes.get("batch", {}).get("refused", "")) or "It was packaged without one."
    raise RefusedReleaseError(
        f"[batch] has a schedule, but the release {release.folder} has no batch.zip. {reason} Package the model with "
        "an engine whose libraries fit (`lightship check MODEL` lists them), or remove the schedule."
    )


_LOG_DELIVERY = (
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)


def _listing(bucket_arn: str, prefix: str) -> iam.PolicyStatement:
    conditions = {"StringLike": {"s3:prefix": f"{prefix}*"}} if prefix else None
    return iam.PolicyStatement(actions=["s3:ListBucket"], resources=[bucket_arn], conditions=conditions)


def _log_destination(group: logs.LogGroup) -> sfn.CfnStateMachine.LogDestinationProperty:
    place = sfn.CfnStateMachine.CloudWatchLogsLogGroupProperty(log_group_arn=group.log_group_arn)
    return sfn.CfnStateMachine.LogDestinationProperty(cloud_watch_logs_log_group=place)
