"""The predicting function: the release's own zip, its version, and the alias `live` that callers reach."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from lightship_cdk.checks import accept
from lightship_cdk.custody import Custody
from lightship_cdk.interfaces import as_version
from lightship_cdk.network import ANY_INTERFACE, allow_network, place_in
from lightship_cdk.releases import PackagedRelease
from lightship_cdk.roles import accept_any_resource, allow, allow_logging, closed, create_role
from lightship_cdk.settings import FunctionSettings, Network
from lightship_runtime.capture import Capture

ALIAS = "live"
RUNTIMES = {"3.12": lambda_.Runtime.PYTHON_3_12, "3.13": lambda_.Runtime.PYTHON_3_13}
ARCHITECTURES = {"x86_64": lambda_.Architecture.X86_64, "arm64": lambda_.Architecture.ARM_64}
# Lambda's share of a CPU grows with memory. Below this a start lasts more than three times as long as on a whole core,
# for a hundredth of a month's bill, since a fast request costs mostly its own fee; and requests of many rows want room.
MEMORY_FLOOR_MB = 512
MEMORY_STEP_MB = 128


def memory_for(release: PackagedRelease) -> int:
    """MB of memory: what the proof found cheapest, or of a release without that advice half as much again as the
    proof's peak, in steps; at least the floor."""
    advised = release.manifest.notes.get("memory", {}).get("memory_mb")
    if advised is not None:
        return max(MEMORY_FLOOR_MB, int(advised))
    proof = release.manifest.proof
    wanted = 0.0 if proof is None else 1.5 * proof.peak_rss_mb
    steps = -(-wanted // MEMORY_STEP_MB)
    return max(MEMORY_FLOOR_MB, int(steps) * MEMORY_STEP_MB)


TRACING_ACTIONS = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")


class PredictFunction(Construct):
    """A release's function with a role of its own, a published version, and the alias `live`.

    It prints `sampled_share` of its requests whole, for a Comparison to replay, and of each prediction what `capture`
    says, for a monitor to read.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 (the CDK's own name)
        *,
        release: PackagedRelease,
        stage: str,
        custody: Custody,
        settings: FunctionSettings | None = None,
        sampled_share: float = 0.0,
        capture: Capture | None = None,
        network: Network | None = None,
    ) -> None:
        super().__init__(scope, id)
        settings = settings or FunctionSettings()
        manifest = release.manifest
        self.release = release
        self.timeout_s = settings.timeout_s
        self.memory_mb = settings.memory_mb or memory_for(release)
        self.log_group = custody.log_group(self, "Logs")
        self.role = self._role(settings, network)
        place = place_in(self, network)
        self.function = lambda_.Function(
            self,
            "Function",
            description=f"{manifest.name} {manifest.version[:12]}, packaged by Lightship",
            runtime=RUNTIMES[manifest.python],
            architecture=ARCHITECTURES[manifest.architecture],
            handler=release.artifact("realtime").handler,
            code=lambda_.Code.from_asset(release.zip_path("realtime")),
            role=closed(self.role),
            log_group=self.log_group,
            memory_size=self.memory_mb,
            timeout=cdk.Duration.seconds(settings.timeout_s),
            environment=_environment(stage, sampled_share, capture or Capture()),
            tracing=lambda_.Tracing.ACTIVE if settings.tracing else None,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if settings.snapstart else None,
            reserved_concurrent_executions=settings.reserved_concurrency,
            # The release was proven on the runtime of its day: only a deployment may change it.
            runtime_management_mode=lambda_.RuntimeManagementMode.FUNCTION_UPDATE,
            # A rollback needs the version it returns to; old ones are pruned by count, not by CloudFormation.
            current_version_options=lambda_.VersionOptions(
                description=f"release {manifest.version}", removal_policy=cdk.RemovalPolicy.RETAIN
            ),
            vpc=place.vpc,
            vpc_subnets=place.subnets,
            security_groups=place.security_groups,
        )
        accept(self, "AwsSolutions-L1", "The release was proven on this Python, and another needs another release.")
        self.version = self.function.current_version
        self.alias = lambda_.Alias(
            self,
            "Live",
            alias_name=ALIAS,
            version=as_version(self.version),
            provisioned_concurrent_executions=settings.provisioned_concurrency,
        )

    def _role(self, settings: FunctionSettings, network: Network | None) -> iam.Role:
        """It may write its log, and reach a network or X-Ray where the settings say so."""
        statements = [allow_logging(self.log_group.log_group_arn), *allow_network(network)]
        reasons = [ANY_INTERFACE] if network else []
        if settings.tracing:
            statements.append(allow(TRACING_ACTIONS, "*"))
            reasons.append("X-Ray has no resource to name for a trace.")
        role = create_role(self, "Role", "lambda.amazonaws.com", statements)
        if reasons:
            accept_any_resource(role, " ".join(reasons))
        return role


def _environment(stage: str, sampled_share: float, capture: Capture) -> dict[str, str]:
    sampling = {"LIGHTSHIP_SAMPLED_SHARE": repr(sampled_share)} if sampled_share else {}
    captured = {} if capture.mode == Capture().mode else capture.to_environment()
    return {"LIGHTSHIP_STAGE": stage, **sampling, **captured}
