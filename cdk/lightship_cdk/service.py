"""A deployed model: the function, its endpoint, alarms, and the way new releases reach callers."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from lightship_cdk.alarms import Alarms, count_failures
from lightship_cdk.batch import ScheduledBatch
from lightship_cdk.comparison import Comparison
from lightship_cdk.custody import create_custody
from lightship_cdk.dashboard import create_dashboard, create_runbooks
from lightship_cdk.function import PredictFunction
from lightship_cdk.http_endpoint import HttpEndpoint
from lightship_cdk.monitoring import Monitoring, can_be_monitored
from lightship_cdk.notifications import Notifications
from lightship_cdk.notifier import Notifier
from lightship_cdk.releases import PackagedRelease
from lightship_cdk.rest_endpoint import RestEndpoint
from lightship_cdk.rollout import Rollout
from lightship_cdk.settings import ServiceSettings
from lightship_cdk.watched import Watched, WatchedEndpoint

if TYPE_CHECKING:
    from lightship_cdk.alarm_table import Log
from lightship_runtime.capture import Capture
from lightship_runtime.manifest import read_contract


class ModelService(Construct):
    """Everything one release needs to serve predictions.

    `release` is a release folder, or one that is open already. `name` is what alarms and the API are called, the
    release's own name and the stage unless given. Raises RefusedReleaseError for an unproven release unless the
    settings allow it.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the CDK's own name)
        *,
        release: PackagedRelease | Path | str,
        settings: ServiceSettings | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(scope, id)
        settings = settings or ServiceSettings()
        release = release if isinstance(release, PackagedRelease) else PackagedRelease.open(release)
        if not settings.allow_unproven:
            release.refuse_unproven()
        if settings.monitoring and settings.monitoring.capture_without:
            settings.monitoring.check_columns(read_contract(release.folder).names)
        self.release = release
        self.name = name or f"{release.manifest.name}-{settings.stage_name}"
        self.custody = create_custody(self, settings.custody)
        self.predict = PredictFunction(
            self,
            "Predict",
            release=release,
            stage=settings.stage_name,
            custody=self.custody,
            settings=settings.function,
            sampled_share=settings.comparison.share,
            capture=settings.monitoring.captured if settings.monitoring else Capture("off"),
            network=settings.network,
        )
        self.endpoint = self._endpoint(settings)
        self.notifications = Notifications(
            self, "Notifications", service=self.name, custody=self.custody, recipients=settings.recipients
        )
        self.comparison = self._compare(settings)
        self.monitoring = self._monitor(settings)
        self.batch = self._schedule(settings)
        self.notifier = self._explain(settings)
        self._watch(settings)
        self._apply_everywhere(settings)

    def _endpoint(self, settings: ServiceSettings) -> HttpEndpoint | RestEndpoint:
        kind = RestEndpoint if settings.endpoint.auth == "api_key" else HttpEndpoint
        return kind(
            self,
            "Endpoint",
            name=self.name,
            alias=self.predict.alias,
            custody=self.custody,
            settings=settings.endpoint,
        )

    def _compare(self, settings: ServiceSettings) -> Comparison | None:
        comparison = settings.comparison
        if not comparison.share:
            return None
        shadow = self._shadow(comparison.shadow, settings) if comparison.shadow else None
        return Comparison(
            self,
            "Comparison",
            live=self.predict,
            stage=settings.stage_name,
            custody=self.custody,
            settings=comparison,
            shadow=shadow,
        )

    def _monitor(self, settings: ServiceSettings) -> Monitoring | None:
        if settings.monitoring is None or not can_be_monitored(self.release):
            return None
        monitoring = Monitoring(
            self,
            "Monitoring",
            live=self.predict,
            stage=settings.stage_name,
            custody=self.custody,
            settings=settings.monitoring,
            network=settings.network,
        )
        self.endpoint.add_feedback(monitoring.feedback)
        return monitoring

    def _schedule(self, settings: ServiceSettings) -> ScheduledBatch | None:
        if settings.batch is None:
            return None
        return ScheduledBatch(
            self,
            "Batch",
            release=self.release,
            name=self.name,
            stage=settings.stage_name,
            settings=settings.batch,
            custody=self.custody,
            store=self.monitoring and self.monitoring.store,
            network=settings.network,
        )

    def _explain(self, settings: ServiceSettings) -> Notifier:
        return Notifier(
            self,
            "Notifier",
            service=self.name,
            options=_options(settings),
            live=self.predict,
            notifications=self.notifications,
            custody=self.custody,
            recipients=settings.recipients,
            store=self.monitoring and self.monitoring.store,
        )

    def _shadow(self, folder: str, settings: ServiceSettings) -> PredictFunction:
        """A candidate that only the comparison reaches. It doesn't share the live function's reservations."""
        release = PackagedRelease.open(folder)
        if not settings.allow_unproven:
            release.refuse_unproven()
        function = replace(settings.function, reserved_concurrency=None, provisioned_concurrency=None)
        return PredictFunction(
            self,
            "Shadow",
            release=release,
            stage=f"{settings.stage_name}-shadow",
            custody=self.custody,
            settings=function,
            network=settings.network,
        )

    def _watch(self, settings: ServiceSettings) -> None:
        count_failures(self, self.predict.log_group)
        watched = self._watched(settings)
        self.rollback_alarms = Alarms(self, "RollbackAlarms", watched=watched, undoing=True)
        self.rollout = Rollout(
            self,
            "Rollout",
            function=self.predict,
            stage=settings.stage_name,
            alarms=list(self.rollback_alarms.by_id.values()),
            custody=self.custody,
            settings=settings.rollout,
        )
        watched = replace(
            watched,
            rule=self.rollout.failures.ref,
            log_groups={**watched.log_groups, "hook": _log_group(self.rollout, "HookLogs")},
        )
        self.notifier.follow(self.rollout, watched.log_groups)
        self.alarms = Alarms(self, "Alarms", watched=watched)
        self.dashboard = create_dashboard(self, watched, [self.alarms, self.rollback_alarms], self.comparison)
        self.runbooks = create_runbooks(self, watched)

    def _watched(self, settings: ServiceSettings) -> Watched:
        """What there is of the service."""
        queues = {"notifier": self.notifier.failures.queue_name}
        functions = {"notifier": self.notifier.function.function_name}
        groups: dict[Log, logs.LogGroup] = {
            "predict": self.predict.log_group,
            "access": _log_group(self.endpoint, "AccessLogs"),
            "notifier": _log_group(self.notifier, "Logs"),
        }
        stream = ""
        if self.comparison:
            queues["comparison"] = self.comparison.failures.queue_name
            groups["compare"] = _log_group(self.comparison, "Logs")
        if self.monitoring:
            queues["monitor"] = self.monitoring.failures.queue_name
            functions["monitor"] = self.monitoring.function.function_name
            functions["feedback"] = self.monitoring.feedback.function_name
            groups["monitor"] = _log_group(self.monitoring, "Logs")
            groups["feedback"] = _log_group(self.monitoring, "FeedbackLogs")
            stream = self.monitoring.delivery.stream.ref
        if self.batch:
            queues["batch"] = self.batch.dead_letters.queue_name
            groups["batch"] = self.batch.log_group
        return Watched(
            service=self.name,
            model=self.release.manifest.name,
            stage=settings.stage_name,
            notifications=self.notifications,
            options=_options(settings),
            endpoint=WatchedEndpoint(
                function=self.predict,
                api=self.endpoint.metrics,
                objectives=settings.objectives,
                comparison=settings.comparison,
                reserved=settings.function.reserved_concurrency,
            ),
            batch=self.batch and self.batch.watched,
            queues=queues,
            functions=functions,
            log_groups=groups,
            stream=stream,
            runbooks=settings.runbooks,
        )

    def _apply_everywhere(self, settings: ServiceSettings) -> None:
        if settings.permissions_boundary_arn:
            boundary = iam.ManagedPolicy.from_managed_policy_arn(self, "Boundary", settings.permissions_boundary_arn)
            iam.PermissionsBoundary.of(self).apply(boundary)
        tags = {"lightship:model": self.release.manifest.name, "lightship:stage": settings.stage_name, **settings.tags}
        for key, value in tags.items():
            cdk.Tags.of(self).add(key, value)


def _log_group(owner: Construct, id: str) -> logs.LogGroup:  # noqa: A002 (the CDK's own name)
    return cast("logs.LogGroup", owner.node.find_child(id))


def _options(settings: ServiceSettings) -> str:
    """What goes behind a command to name the stage."""
    return f" --stage {settings.stage}" if settings.stage else ""
