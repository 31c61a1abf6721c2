"""The stack at the root: one model and stage, and what a caller needs to know about it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from constructs import Construct

from lightship_cdk.releases import PackagedRelease
from lightship_cdk.rest_endpoint import RestEndpoint
from lightship_cdk.rollout import SHIFTS
from lightship_cdk.service import ModelService
from lightship_cdk.settings import ServiceSettings
from lightship_cdk.settings_error import SettingsError


class LightshipStack(cdk.Stack):
    """A ModelService in a stack of its own, with its outputs."""

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the CDK's own name)
        *,
        release: PackagedRelease | Path | str,
        settings: ServiceSettings | None = None,
        env: cdk.Environment | None = None,
    ) -> None:
        super().__init__(scope, id, env=env, description=f"{id}: a model served by Lightship")
        self.service = ModelService(self, "Service", release=release, settings=settings, name=id)
        for name, value in _outputs(self.service).items():
            cdk.CfnOutput(self, name, value=value)

    @classmethod
    def from_config(
        cls, app: cdk.App, name: str, config: Mapping[str, Any], release: PackagedRelease
    ) -> "LightshipStack":
        """The stack that one stage of a parsed lightship.toml asks for."""
        deploy = config["deploy"]
        env = cdk.Environment(account=deploy["account"], region=deploy["region"])
        settings = with_shift(ServiceSettings.from_config(config), app.node.try_get_context("shift"))
        return cls(app, name, release=release, settings=settings, env=env)


def with_shift(settings: ServiceSettings, name: str | None) -> ServiceSettings:
    """The settings with another shift, if one is named: a rollback takes no detour. Raises SettingsError."""
    if name is None:
        return settings
    named = [shift for shift in SHIFTS if shift == name]
    if not named:
        raise SettingsError(f"There is no shift {name!r}; name one of {', '.join(SHIFTS)}.")
    return replace(settings, rollout=replace(settings.rollout, shift=named[0]))


def _outputs(service: ModelService) -> dict[str, str]:
    """By the names that the command line and scripts read."""
    outputs = {
        "EndpointUrl": service.endpoint.url,
        "ApiId": service.endpoint.api_id,
        "FunctionName": service.predict.function.function_name,
        "LiveAlias": service.predict.alias.function_arn,
        "ReleaseVersion": service.release.manifest.version,
        "PagesTopic": service.notifications.pages.topic_arn,
        "TicketsTopic": service.notifications.tickets.topic_arn,
        "ExplainedPagesTopic": service.notifier.pages.topic_arn,
        "ExplainedTicketsTopic": service.notifier.tickets.topic_arn,
        "DeploymentGroup": service.rollout.group.deployment_group_name,
    }
    if isinstance(service.endpoint, RestEndpoint):
        outputs["ApiKeyId"] = service.endpoint.key.key_id
    if service.monitoring is not None:
        outputs["MonitoringBucket"] = service.monitoring.store.bucket.bucket_name
        outputs["MonitorFunction"] = service.monitoring.function.function_name
        outputs["MonitorSchedule"] = service.monitoring.schedule.ref
    if service.batch is not None:
        outputs["BatchStateMachine"] = service.batch.state_machine.ref
        outputs["BatchSchedule"] = service.batch.schedule.ref
    return outputs
