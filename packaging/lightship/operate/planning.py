"""What a deployment would do, worked out before anything is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightship.costs import CostLine, Traffic, estimate, total
from lightship.operate.access import Grant, opened, widened
from lightship.operate.aws import OperateError
from lightship.operate.differences import Change, Kind, differences, outputs_differ
from lightship.operate.stacks import DeployedStack
from lightship.operate.versions import Alias, recorded_version
from lightship_runtime.manifest import Release

NOTHING: Mapping[str, Any] = {"Resources": {}}


@dataclass(frozen=True)
class DeployPlan:
    """A deployment, as data. Costs are US dollars a month at `requests` a month; `shift` is CodeDeploy's name.

    `recorded` and `live` are versions of Lambda's, where CloudFormation believes the alias and where it is. They are
    None for a stack that isn't deployed.
    """

    stack: str
    release: str
    from_release: str | None
    changes: tuple[Change, ...]
    outputs_change: bool
    widened: tuple[Grant, ...]
    opened: tuple[str, ...]
    costs: tuple[CostLine, ...]
    cost_before: float | None
    requests: float
    shift: str | None
    replacement_known: bool = True
    recorded: int | None = None
    live: int | None = None

    @property
    def first(self) -> bool:
        return self.from_release is None

    @property
    def moved(self) -> bool:
        """Whether the alias was moved behind CloudFormation's back."""
        return self.live is not None and self.recorded is not None and self.live != self.recorded

    @property
    def unchanged(self) -> bool:
        return not self.changes and not self.outputs_change and not self.moved

    @property
    def needs_consent(self) -> bool:
        return bool(self.widened or self.opened)

    @property
    def cost(self) -> float:
        return total(self.costs)

    def to_dict(self) -> dict[str, Any]:
        return {
            "stack": self.stack,
            "release": self.release,
            "from_release": self.from_release,
            "unchanged": self.unchanged,
            "changes": [
                {"kind": each.kind, "type": each.type, "name": each.name, "details": list(each.details)}
                for each in self.changes
            ],
            "replacement_known": self.replacement_known,
            "permissions_added": [str(each) for each in self.widened],
            "endpoint_opened": list(self.opened),
            "shift": self.shift,
            "alias_moved_by_hand": self.moved,
            "cost": {
                "requests_a_month": self.requests,
                "dollars_a_month": round(self.cost, 2),
                "dollars_a_month_before": None if self.cost_before is None else round(self.cost_before, 2),
                "lines": {each.what: round(each.dollars, 2) for each in self.costs},
            },
        }


def traffic_of(requests: float, release: Release) -> Traffic:
    """A month's traffic, with the times of the release's proof."""
    proof = release.proof
    if proof is None:
        return Traffic(requests=requests, duration_ms=0.0)
    return Traffic(requests=requests, duration_ms=proof.p50_ms, init_ms=proof.init_ms)


def plan_deployment(
    template: Mapping[str, Any],
    release: Release,
    stack: DeployedStack | None,
    alias: Alias | None,
    *,
    name: str,
    requests: float,
    impacts: Mapping[str, Kind] | None = None,
) -> DeployPlan:
    """Compare what is to be deployed with what is. Raises OperateError when a deployment is under way."""
    if stack is not None:
        refuse_moving(stack)
    standing = stack if stack is not None and stack.serves else None
    old = standing.template if standing else NOTHING
    traffic = traffic_of(requests, release)
    return DeployPlan(
        stack=name,
        release=release.version,
        from_release=standing.outputs.get("ReleaseVersion") if standing else None,
        changes=differences(old, template, impacts),
        replacement_known=impacts is not None or standing is None,
        outputs_change=outputs_differ(old, template),
        widened=widened(old, template),
        opened=opened(old, template),
        costs=estimate(template, traffic),
        cost_before=total(estimate(old, traffic)) if standing else None,
        requests=requests,
        shift=shift_of(template),
        recorded=recorded_version(standing) if standing else None,
        live=alias.version if standing and alias else None,
    )


def refuse_moving(stack: DeployedStack) -> None:
    """Raises OperateError when another operation is under way, or one got stuck."""
    if stack.moving:
        raise OperateError(
            f"The stack {stack.name} is {stack.status}: a deployment is under way, perhaps from another machine. "
            "`lightship status` follows it; `lightship rollback --now` stops it."
        )
    if stack.status in {"UPDATE_ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_FAILED"}:
        raise OperateError(
            f"The stack {stack.name} is {stack.status} ({stack.reason}). CloudFormation wants a decision: "
            f"`aws cloudformation continue-update-rollback --stack-name {stack.name}`, or `lightship destroy`."
        )


def shift_of(template: Mapping[str, Any]) -> str | None:
    """CodeDeploy's name for how traffic moves."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::CodeDeploy::DeploymentGroup":
            return str(resource["Properties"]["DeploymentConfigName"]).removeprefix("CodeDeployDefault.Lambda")
    return None
