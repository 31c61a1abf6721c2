"""The stack at the root: one model and stage, and what a caller needs to know about it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from constructs import Construct

from lightship_cdk.releases import PackagedRelease
from lightship_cdk.rest_endpoint import RestEndpoint
from lightship_cdk.service import ModelService
from lightship_cdk.settings import ServiceSettings


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
        return cls(app, name, release=release, settings=ServiceSettings.from_config(config), env=env)


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
        "DeploymentGroup": service.rollout.group.deployment_group_name,
    }
    if isinstance(service.endpoint, RestEndpoint):
        outputs["ApiKeyId"] = service.endpoint.key.key_id
    return outputs
