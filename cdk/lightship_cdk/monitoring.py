"""Monitoring of a deployed model: its telemetry delivered to a bucket, an hourly function over it, and late labels."""

import json
from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lightship_cdk.checks import accept
from lightship_cdk.custody import Custody
from lightship_cdk.function import ARCHITECTURES, RUNTIMES, PredictFunction
from lightship_cdk.monitoring_delivery import TelemetryDelivery
from lightship_cdk.monitoring_settings import MonitoringSettings
from lightship_cdk.monitoring_store import ACCEPTED, BASELINES, COUNTS, LABELS, RESULTS, TELEMETRY, MonitoringStore
from lightship_cdk.network import ANY_INTERFACE, allow_network, place_in
from lightship_cdk.releases import PackagedRelease
from lightship_cdk.roles import accept_any_resource, allow, allow_logging, closed, create_role
from lightship_cdk.runtime_code import FEEDBACK
from lightship_cdk.settings import Network

ARTIFACT = "monitor"
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
START_RETRIES = 5
# A run that begins later than this would meet the next one.
LATEST_START_S = 2400
RUN_RETRIES = 1
FEEDBACK_TIMEOUT_S = 15
FEEDBACK_MEMORY_MB = 256
READ = (TELEMETRY, COUNTS, LABELS, RESULTS, BASELINES)
WRITTEN = (RESULTS, BASELINES)


class Monitoring(Construct):
    """What watches the predictions of `live`. Made of a release that has a monitor.zip; see `can_be_monitored`.

    `feedback` takes late labels, for an endpoint to put behind a route. `failures` holds runs that couldn't be started
    or failed twice. In a `network`, both functions have to reach S3 from there.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the CDK's own name)
        *,
        live: PredictFunction,
        stage: str,
        custody: Custody,
        settings: MonitoringSettings | None = None,
        network: Network | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.settings = settings or MonitoringSettings()
        self._network = network
        self._place = place_in(self, network)
        self.store = MonitoringStore(self, "Store", custody=custody, retention_days=self.settings.retention_days)
        self.delivery = TelemetryDelivery(
            self, "Delivery", log_group=live.log_group, store=self.store, custody=custody, settings=self.settings
        )
        self.failures = sqs.Queue(
            self, "Failures", encryption=sqs.QueueEncryption.SQS_MANAGED, enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )  # fmt: skip
        accept(self.failures, "AwsSolutions-SQS3", "It is itself the dead-letter queue of the schedule and its runs.")
        self._environment = {
            "LIGHTSHIP_MONITORING": self.store.address,
            "LIGHTSHIP_SERVICE": live.release.manifest.name,
            "LIGHTSHIP_STAGE": stage,
        }
        self.function = self._monitor(live.release, custody)
        self.schedule = self._schedule(live.release.manifest.name)
        self.feedback = self._feedback(live.release, custody)

    def _monitor(self, release: PackagedRelease, custody: Custody) -> lambda_.Function:
        manifest = release.manifest
        log_group = custody.log_group(self, "Logs")
        role = create_role(
            self,
            "Role",
            "lambda.amazonaws.com",
            [
                allow_logging(log_group.log_group_arn),
                allow(["sqs:SendMessage"], self.failures.queue_arn),
                *self.store.statements(read=[*READ, ACCEPTED], write=WRITTEN),
                *allow_network(self._network),
            ],
        )
        self._accept(role, READ)
        function = lambda_.Function(
            self,
            "Function",
            description=f"{manifest.name} {manifest.version[:12]}, monitor, packaged by Lightship",
            runtime=RUNTIMES[manifest.python],
            architecture=ARCHITECTURES[manifest.architecture],
            handler=release.artifact(ARTIFACT).handler,
            code=lambda_.Code.from_asset(release.zip_path(ARTIFACT)),
            role=closed(role),
            log_group=log_group,
            memory_size=self.settings.memory_mb,
            ephemeral_storage_size=cdk.Size.mebibytes(self.settings.storage_mb),
            timeout=cdk.Duration.seconds(self.settings.timeout_s),
            environment={**self._environment, **_judging(self.settings)},
            runtime_management_mode=lambda_.RuntimeManagementMode.FUNCTION_UPDATE,
            retry_attempts=RUN_RETRIES,
            max_event_age=cdk.Duration.seconds(LATEST_START_S),
            dead_letter_queue=self.failures,
            vpc=self._place.vpc,
            vpc_subnets=self._place.subnets,
            security_groups=self._place.security_groups,
        )
        accept(
            function, "AwsSolutions-L1", "Its NumPy was packaged for this Python, and another needs another release."
        )
        return function

    def _schedule(self, name: str) -> scheduler.CfnSchedule:
        role = create_role(
            self,
            "ScheduleRole",
            "scheduler.amazonaws.com",
            [
                allow(["lambda:InvokeFunction"], self.function.function_arn),
                allow(["sqs:SendMessage"], self.failures.queue_arn),
            ],
        )
        return scheduler.CfnSchedule(
            self,
            "Schedule",
            description=f"{name}: compare the last hours with the baseline",
            schedule_expression=f"cron({self.settings.minute} * * * ? *)",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.function.function_arn,
                role_arn=role.role_arn,
                # Delivered twice, the same time writes the same results again.
                input=json.dumps({"time": SCHEDULED_TIME}),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_retry_attempts=START_RETRIES, maximum_event_age_in_seconds=LATEST_START_S
                ),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.failures.queue_arn),
            ),
        )

    def _feedback(self, release: PackagedRelease, custody: Custody) -> lambda_.Function:
        """It may put labels into the bucket, and see nothing there."""
        log_group = custody.log_group(self, "FeedbackLogs")
        statements = [
            allow_logging(log_group.log_group_arn),
            *self.store.statements(write=[LABELS]),
            *allow_network(self._network),
        ]
        role = create_role(self, "FeedbackRole", "lambda.amazonaws.com", statements)
        self._accept(role, [LABELS])
        function = lambda_.Function(
            self,
            "Feedback",
            description="Takes late labels of predictions",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=FEEDBACK.handler,
            code=FEEDBACK.asset(release, "Feedback"),
            role=closed(role),
            log_group=log_group,
            memory_size=FEEDBACK_MEMORY_MB,
            timeout=cdk.Duration.seconds(FEEDBACK_TIMEOUT_S),
            environment=self._environment,
            vpc=self._place.vpc,
            vpc_subnets=self._place.subnets,
            security_groups=self._place.security_groups,
        )
        accept(function, "AwsSolutions-L1", "The runtime modules it is made of are tested on this Python.")
        return function

    def _accept(self, role: iam.Role, prefixes: Sequence[str]) -> None:
        """What cdk-nag would find of a role that uses these prefixes."""
        self.store.accept_prefixes(role, prefixes)
        if self._network:
            accept_any_resource(role, ANY_INTERFACE)


def _judging(settings: MonitoringSettings) -> dict[str, str]:
    """How the monitor judges, as far as it isn't the default."""
    floor, hours = settings.accuracy_floor, settings.window_hours
    return {
        **({} if floor is None else {"LIGHTSHIP_ACCURACY_FLOOR": repr(floor)}),
        **({} if hours == 1 else {"LIGHTSHIP_WINDOW_HOURS": str(hours)}),
    }


def can_be_monitored(release: PackagedRelease) -> bool:
    """Whether the release was packaged with a baseline, hence has a monitor."""
    return ARTIFACT in release.manifest.artifacts
