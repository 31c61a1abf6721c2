"""Carries a deployment out, and leaves nothing half-moved when it fails or is interrupted."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lightship.operate.assembly import Assembly, pointing_to
from lightship.operate.aws import Clients, OperateError
from lightship.operate.cdk import CdkProgram, progress_of
from lightship.operate.differences import Kind, impacts_of
from lightship.operate.interrupting import undo
from lightship.operate.planning import DeployPlan, plan_deployment
from lightship.operate.refusals import refusal
from lightship.operate.stacks import DeployedStack, Say, Sleep, failure_reasons, read_stack
from lightship.operate.versions import read_alias, recorded_version
from lightship_runtime.errors import LightshipError
from lightship_runtime.manifest import Release

APPROVED = ("--require-approval", "never", "--progress", "events")
MOST_REASONS = 5

type Clock = Callable[[], datetime]


class DeploymentFailedError(LightshipError):
    """A deployment didn't arrive. Callers are answered as before."""


@dataclass(frozen=True)
class Deployer:
    """Plans and carries out deployments of one stack. `say` hears what is being done."""

    aws: Clients
    cdk: CdkProgram
    say: Say
    sleep: Sleep = time.sleep
    now: Clock = field(default=lambda: datetime.now(UTC))

    def plan(self, assembly: Assembly, release: Release, requests: float) -> tuple[DeployPlan, DeployedStack | None]:
        """Compare an assembly with what is deployed. Raises OperateError when a deployment is under way."""
        self.say("comparing with what is deployed")
        stack = read_stack(self.aws, assembly.stack)
        serves = stack is not None and stack.serves
        alias = read_alias(self.aws, stack.output("FunctionName")) if stack and serves else None

        def compared(impacts: dict[str, Kind] | None) -> DeployPlan:
            return plan_deployment(
                assembly.template, release, stack, alias, name=assembly.stack, requests=requests, impacts=impacts
            )

        plan = compared({})
        if serves and plan.changes:
            # The CDK knows which properties CloudFormation can't change in place.
            diff = self.cdk.run("diff", assembly.stack, "--method", "template", app=assembly.folder)
            plan = compared(impacts_of(diff.output) if diff.returncode == 0 else None)
        return plan, stack

    def deploy(self, assembly: Assembly, plan: DeployPlan, seen: DeployedStack | None) -> DeployedStack:
        """Deploy what was planned, as long as what `seen` was planned against is still there.

        Raises OperateError or DeploymentFailedError. Ctrl-C takes back what was begun, and is passed on if that
        went well.
        """
        self._refuse_outdated(assembly.stack, seen)
        if seen is not None and plan.moved and plan.live is not None:
            self._reconcile(assembly, seen, plan.live)
        self.say("deploying")
        return self._run(assembly, seen is None or not seen.serves)

    def _reconcile(self, assembly: Assembly, stack: DeployedStack, live: int) -> None:
        self.say(f"the alias was moved to version {live} by hand: telling CloudFormation")
        with tempfile.TemporaryDirectory(prefix="lightship-reconcile-") as scratch:
            copied = assembly.with_template(pointing_to(stack, live), Path(scratch) / "cdk.out")
            self._run(copied, new=False)

    def _run(self, assembly: Assembly, new: bool) -> DeployedStack:
        begun = self.now()
        try:
            done = self.cdk.run("deploy", assembly.stack, *APPROVED, app=assembly.folder, line=self._follow)
        except KeyboardInterrupt:
            undone = undo(self.aws, assembly.stack, new=new, say=self.say, sleep=self.sleep)
            if not undone.clean:
                raise DeploymentFailedError(undone.text) from None
            self.say(undone.text)
            raise
        stack = read_stack(self.aws, assembly.stack)
        if stack is None or done.returncode != 0 or "ROLLBACK" in stack.status or not stack.status.endswith("COMPLETE"):
            raise DeploymentFailedError(self._failure(assembly.stack, stack, begun, done.tail))
        live, recorded = read_alias(self.aws, stack.output("FunctionName")), recorded_version(stack)
        if live.version != recorded or live.weights:
            raise DeploymentFailedError(
                f"CloudFormation says that version {recorded} is live, but callers reach {live.traffic}. "
                "Somebody moved the alias meanwhile; `lightship deploy` reconciles."
            )
        return stack

    def _follow(self, line: str) -> None:
        if told := progress_of(line):
            self.say(told)

    def _refuse_outdated(self, name: str, seen: DeployedStack | None) -> None:
        found = read_stack(self.aws, name)
        if (found and (found.id, found.updated, found.status)) != (seen and (seen.id, seen.updated, seen.status)):
            raise OperateError(
                f"Since the plan was made, somebody else deployed {name}: it is {found.status if found else 'gone'}. "
                "Run the command again to see a plan that holds."
            )

    def _failure(self, name: str, stack: DeployedStack | None, since: datetime, tail: str) -> str:
        if stack is not None and stack.moving:
            return f"The CDK ended, but {name} is still {stack.status}. `lightship status` follows it:\n{tail}"
        reasons = failure_reasons(self.aws, stack.id, since) if stack else []
        if stack is None or not reasons:
            return f"The deployment of {name} failed before anything changed:\n{tail}"
        told = "\n".join(f"  {reason}" for reason in reasons[:MOST_REASONS])
        refused = refusal(self.aws, stack, since)
        hook = f"\nThe hook refused the release: {refused}" if refused else ""
        ended = "Callers are answered as before." if stack.serves else "Nothing answers: it was the first deployment."
        return f"The deployment of {name} failed and was undone ({stack.status}). {ended}{hook}\n{told}"
