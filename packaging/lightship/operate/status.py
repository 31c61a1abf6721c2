"""The state of a deployed stage, and what is out of the ordinary about it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lightship.operate.aws import Clients
from lightship.operate.muting import KINDS, Mute, read_mutes
from lightship.operate.stacks import DeployedStack
from lightship.operate.versions import (
    Alias,
    Version,
    previous,
    read_alias,
    read_versions,
    recorded_version,
    version_of,
)

# What DescribeAlarms takes by name in one call.
ALARMS_A_CALL = 100
UNDER_WAY = frozenset({"Created", "Queued", "InProgress", "Baking", "Ready"})


@dataclass(frozen=True, slots=True)
class Deployment:
    """One shift of CodeDeploy's. `error` is why it ended badly."""

    id: str
    status: str
    created: str
    shift: str
    error: str | None

    @property
    def under_way(self) -> bool:
        return self.status in UNDER_WAY


@dataclass(frozen=True, slots=True)
class Batch:
    """The newest run of a batch, with Step Functions' status."""

    name: str
    status: str
    started: str


@dataclass(frozen=True)
class Status:
    """`alarms` are names by state, `mutes` what silences some of them; `recorded` is the version that CloudFormation
    believes to be live."""

    stack: str
    stack_status: str
    url: str
    live: Version
    previous: Version | None
    alias: Alias
    recorded: int | None
    alarms: Mapping[str, tuple[str, ...]]
    mutes: tuple[Mute, ...]
    deployment: Deployment | None
    batch: Batch | None
    findings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "stack": self.stack,
            "stack_status": self.stack_status,
            "url": self.url,
            "live": _told(self.live),
            "previous": self.previous and _told(self.previous),
            "traffic": {str(number): share for number, share in self.alias.traffic.items()},
            "alarms": {state: list(names) for state, names in self.alarms.items()},
            "mutes": [mute.to_dict() for mute in self.mutes],
            "deployment": self.deployment and asdict(self.deployment),
            "batch": self.batch and asdict(self.batch),
            "findings": list(self.findings),
        }


def read_status(aws: Clients, stack: DeployedStack) -> Status:
    """Everything about a stack that serves."""
    function = stack.output("FunctionName")
    alias, versions = read_alias(aws, function), read_versions(aws, function)
    live, recorded = version_of(versions, alias.version), recorded_version(stack)
    alarms, deployment, batch = read_alarms(aws, stack), last_deployment(aws, stack), last_batch(aws, stack)
    return Status(
        stack=stack.name,
        stack_status=stack.status,
        url=stack.outputs.get("EndpointUrl", ""),
        live=live,
        previous=previous(versions, alias.version),
        alias=alias,
        recorded=recorded,
        alarms=alarms,
        mutes=read_mutes(aws, stack),
        deployment=deployment,
        batch=batch,
        findings=(*_findings(stack, alias, live, recorded, deployment, alarms), *_batch_findings(batch)),
    )


def read_alarms(aws: Clients, stack: DeployedStack) -> dict[str, tuple[str, ...]]:
    """The names of the stack's alarms by state, those that sound first."""
    names = [each.physical for kind in KINDS for each in stack.of_type(kind)]
    states: dict[str, list[str]] = {"ALARM": [], "INSUFFICIENT_DATA": [], "OK": []}
    for start in range(0, len(names), ALARMS_A_CALL):
        chunk = names[start : start + ALARMS_A_CALL]
        told = aws("cloudwatch").describe_alarms(
            AlarmNames=chunk, AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=ALARMS_A_CALL
        )
        for alarm in (*told["MetricAlarms"], *told.get("CompositeAlarms", ())):
            states.setdefault(alarm["StateValue"], []).append(alarm["AlarmName"])
    return {state: tuple(sorted(found)) for state, found in states.items()}


def last_deployment(aws: Clients, stack: DeployedStack) -> Deployment | None:
    """The newest shift, running or not; None when traffic never moved."""
    group = stack.outputs.get("DeploymentGroup")
    for application in stack.of_type("AWS::CodeDeploy::Application"):
        found = aws("codedeploy").list_deployments(applicationName=application.physical, deploymentGroupName=group)
        if found["deployments"]:
            told = aws("codedeploy").get_deployment(deploymentId=found["deployments"][0])["deploymentInfo"]
            return Deployment(
                id=told["deploymentId"],
                status=told["status"],
                created=str(told["createTime"]),
                shift=str(told.get("deploymentConfigName", "")).removeprefix("CodeDeployDefault.Lambda"),
                error=(told.get("errorInformation") or {}).get("message"),
            )
    return None


def last_batch(aws: Clients, stack: DeployedStack) -> Batch | None:
    """The newest run of the stack's state machines; None when none ever ran."""
    runs = []
    for machine in stack.of_type("AWS::StepFunctions::StateMachine"):
        runs += aws("stepfunctions").list_executions(stateMachineArn=machine.physical, maxResults=1)["executions"]
    if not runs:
        return None
    newest = max(runs, key=lambda run: run["startDate"])
    return Batch(newest["name"], newest["status"], str(newest["startDate"]))


def _findings(
    stack: DeployedStack,
    alias: Alias,
    live: Version,
    recorded: int | None,
    deployment: Deployment | None,
    alarms: Mapping[str, tuple[str, ...]],
) -> Iterator[str]:
    """What an engineer should know, each with what to do."""
    running = deployment is not None and deployment.under_way
    if stack.moving:
        yield f"A deployment is under way ({stack.status}). `lightship rollback --now` stops it."
    elif stack.status == "UPDATE_ROLLBACK_FAILED":
        yield (
            f"CloudFormation couldn't undo a deployment ({stack.reason}). Mend the cause, then "
            f"`aws cloudformation continue-update-rollback --stack-name {stack.name}`."
        )
    elif stack.status == "UPDATE_ROLLBACK_COMPLETE":
        yield "The last deployment failed and was undone; what was live before is live."
    if recorded is not None and recorded != alias.version and not running and not stack.moving:
        yield (
            f"Callers reach version {alias.version}, but CloudFormation believes {recorded}: the alias was moved by "
            "hand or by `rollback --now`. The next `lightship deploy` or `lightship rollback` reconciles."
        )
    elif not stack.moving and not running and live.release not in {None, stack.outputs.get("ReleaseVersion")}:
        deployed = stack.outputs.get("ReleaseVersion")
        yield f"The stack was deployed from release {deployed}, but release {live.release} is live. Deploy again."
    if alias.weights and not running:
        yield (
            f"Traffic is split ({_shares(alias)}), and no shift is under way: one was abandoned halfway. "
            "`lightship rollback --now` sends all of it to one version."
        )
    if deployment is not None and deployment.status in {"Failed", "Stopped"}:
        yield f"The last shift ({deployment.id}) was undone: {deployment.error or deployment.status}"
    if alarms.get("ALARM"):
        yield f"{len(alarms['ALARM'])} alarms sound: {', '.join(alarms['ALARM'])}."


def _batch_findings(batch: Batch | None) -> Iterator[str]:
    if batch is not None and batch.status in {"FAILED", "TIMED_OUT", "ABORTED"}:
        yield f"The last batch ({batch.name}) is {batch.status}. Its manifest is missing, so nobody reads half of it."


def _shares(alias: Alias) -> str:
    return ", ".join(f"{share:.0%} to version {number}" for number, share in alias.traffic.items())


def _told(version: Version) -> dict[str, Any]:
    return {"version": version.number, "release": version.release, "published": version.published}
