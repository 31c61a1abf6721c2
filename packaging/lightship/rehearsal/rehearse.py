"""`lightship rehearse`: the real CDK command line deploying the real template and zips to an emulated AWS."""

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lightship.config import Config, load_config
from lightship.operate.destroying import empty_unkept
from lightship.operate.stacks import read_stack
from lightship.rehearsal import variants
from lightship.rehearsal.alarm_step import page_of, sound_and_end
from lightship.rehearsal.aws import ACCOUNT, REGION, EmulatedAws
from lightship.rehearsal.batches import create_buckets, give_batch, run_batch
from lightship.rehearsal.calls import PREDICT, Caller, caller_of, token_of
from lightship.rehearsal.cdk import Cdk
from lightship.rehearsal.checks import check_all, live_version
from lightship.rehearsal.clients import clients_of, stack_outputs, stack_resources
from lightship.rehearsal.dashboard import show
from lightship.rehearsal.findings import CheckFailedError, Deployed
from lightship.rehearsal.front.server import ApiFront, front_of
from lightship.rehearsal.monitoring import Watched, rehearse_monitoring
from lightship.rehearsal.node import cdk_tool
from lightship.rehearsal.workspace import Workspace, locked_folder, workspace_of
from lightship_runtime.errors import LightshipError
from lightship_runtime.golden import Agreement, read_golden
from lightship_runtime.manifest import GOLDEN, Release, read_contract

APPROVED = ("--require-approval", "never")
ASSEMBLY = "cdk.out"
REFUSED = {401, 403}
DEFAULT_TOLERANCE = 1e-6
UNSTAGED = "live"

NOT_PROVEN = (
    "IAM permissions: every role exists as written, but the emulation lets each of them do anything",
    "quotas of your account, service limits, and the time that AWS takes",
    "the minutes of a gradual shift, and the seconds between a batch's attempts: they follow each other at once",
    "schedules firing by the clock, Firehose's own waiting and unpacking, e-mail being delivered, DNS and certificates",
    "Lambda's memory limit, CPU share, arm64 processors, and the start of a real microVM",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was rehearsed, with what came of it."""

    name: str
    result: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Listener:
    """Who hears of a rehearsal: `begin` of each step by its name, `done` of its result, `line` of every line that the
    CDK and the emulator print."""

    begin: Callable[[str], None] = lambda _name: None
    done: Callable[[Step], None] = lambda _step: None
    line: Callable[[str], None] = lambda _line: None


@dataclass(frozen=True)
class Plan:
    """What to rehearse: a project, one of its stages, and the release (the locked one unless given)."""

    project: Path
    stage: str | None = None
    release: Path | None = None


@dataclass
class Rehearsal:
    """A deployed stack in an emulated AWS, and the steps that were gone through so far."""

    config: Config
    aws: EmulatedAws
    cdk: Cdk
    workspace: Workspace
    first: Path
    scratch: Path
    listener: Listener
    steps: list[Step] = field(default_factory=list)
    front: ApiFront | None = None

    def __post_init__(self) -> None:
        self.clients = clients_of(self.aws)
        self.stack = self.config.service
        self.assembly = ""
        self.context = {"stage": self.config.stage} if self.config.stage else {}

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time a step; the list takes the words for its result."""
        self.listener.begin(name)
        words: list[str] = []
        begun = time.perf_counter()
        yield words
        done = Step(name, " ".join(words), time.perf_counter() - begun)
        self.steps.append(done)
        self.listener.done(done)

    @property
    def outputs(self) -> dict[str, str]:
        return stack_outputs(self.clients, self.stack)

    @property
    def live(self) -> str:
        return live_version(self.clients, self.outputs["FunctionName"])

    def bootstrap(self) -> None:
        with self.step("bootstrap") as words:
            # Away from the project, whose app needn't be run for this.
            cdk = replace(self.cdk, project=self.scratch)
            cdk.must("bootstrap", f"aws://{self.aws.account}/{self.aws.region}")
            words.append("the CDK's own stack")

    def deploy(self, name: str, folder: Path) -> Release:
        """Deploy a release with the CDK and read back everything that was configured."""
        with self.step(name) as words:
            release = self.workspace.lock(folder)
            self.assembly = self._synthesise(release)
            self.cdk.must("deploy", self.stack, *APPROVED, app=self.assembly)
            checks = check_all(self._deployed(folder, release))
            words.append(f"release {release.version}, live version {self.live}, {len(checks)} checks read back")
        return release

    def call(self) -> None:
        """Refuse strangers, answer callers, and agree with the golden rows over HTTP."""
        with self.step("calls") as words:
            caller, auth = self._caller(), self.config.endpoint.auth
            if auth != "none":
                status, _ = caller.send("POST", PREDICT, b"{}", authorised=False)
                if status not in REFUSED:
                    raise CheckFailedError(f"A request without {auth} was answered {status}; it has to be refused.")
                words.append(f"without {auth}: {status};")
            agreement = self._replay(caller)
            if not agreement.holds:
                raise CheckFailedError(f"The endpoint's answers differ from the golden rows: {agreement.worst}")
            words.append(f"{agreement.rows} golden rows agree within {self._tolerance():g}")

    def batch(self) -> None:
        """Start the schedule by hand, and reconcile what the state machine's distributed map wrote."""
        if "BatchSchedule" not in self.outputs:
            return
        with self.step("batch") as words:
            golden, contract = read_golden(self.first / GOLDEN), read_contract(self.first)
            release = Release.read(self.first)
            told = run_batch(
                self.clients, self.stack, self.outputs, self.config, release, contract, golden, self._tolerance()
            )
            words.append(told)

    def alarm(self) -> None:
        """Set off a page and end it: the plain message and the explained ones have to reach who listens."""
        with self.step("an alarm, set off by hand") as words:
            resources = stack_resources(self.clients, self.stack)
            names = resources["AWS::CloudWatch::Alarm"] + resources["AWS::CloudWatch::CompositeAlarm"]
            page = page_of(self.clients, self.outputs, names)
            _, sounding, over = sound_and_end(self.clients, self.outputs, page)
            if f"Live: version {self.live} " not in sounding.message or "isn't known" in sounding.message:
                raise CheckFailedError(f"The explained message lacks what is deployed:\n{sounding.message}")
            words.append(f'the page, then "{sounding.subject}", then "{over.subject}"')

    def monitor(self) -> None:
        """See telemetry arrive, send labels, and fire the monitor's schedule."""
        if "MonitoringBucket" not in self.outputs:
            return
        with self.step("monitoring") as words:
            watched = Watched(
                clients=self.clients,
                outputs=self.outputs,
                release=Release.read(self.first),
                stage=self.config.stage or UNSTAGED,
                contract=read_contract(self.first),
                caller=self._caller(),
                auth=self.config.endpoint.auth,
                window_hours=self.config.monitoring.window_hours,
            )
            words.append(rehearse_monitoring(watched, read_golden(self.first / GOLDEN)))

    def drill(self) -> None:
        """Replay incidents over the deployed alarms, as CloudWatch would evaluate them."""
        from lightship.drill.rehearsed import drill_deployed, in_words

        with self.step("drill") as words:
            template = self.clients("cloudformation").get_template(StackName=self.stack)["TemplateBody"]
            document = template if isinstance(template, dict) else json.loads(template)
            assets = self.workspace.folder / self.assembly
            words.append(in_words(drill_deployed(document, self.config, self.first, assets)))

    def update(self, folder: Path) -> None:
        """Deploy another good release: the alias has to move to a new version."""
        before = self.live
        self.deploy("update with a good release", folder)
        if self.live == before:
            raise CheckFailedError(f"The alias still points to version {before} after an update.")

    def refuse(self, folder: Path) -> None:
        """Deploy a release whose predictions differ: the hook has to refuse it, and the alias to stay."""
        with self.step("update with a release whose predictions differ") as words:
            before = self.live
            assembly = self._synthesise(self.workspace.lock(folder))
            done = self.cdk.run("deploy", self.stack, *APPROVED, app=assembly)
            if done.returncode == 0 or self.live != before:
                raise CheckFailedError(
                    f"A release with another prediction was deployed: the alias points to version {self.live}."
                )
            reason = self._refusal(done.output)
            agreement = self._replay(self._caller())
            if not agreement.holds:
                raise CheckFailedError("After the refusal the endpoint doesn't answer as before.")
            words.append(f"refused, live version stays {before}: {reason}")

    def destroy(self) -> None:
        """Take the stack down and see that it is gone."""
        with self.step("destroy") as words:
            if deployed := read_stack(self.clients, self.stack):
                empty_unkept(self.clients, deployed, self.listener.line)
            self.cdk.must("destroy", self.stack, "--force", app=self.assembly)
            cloudformation = self.clients("cloudformation")
            names = {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]}
            if self.stack in names:
                raise CheckFailedError(f"The stack {self.stack} is still there after `cdk destroy`.")
            words.append(", ".join(["the stack is gone", *self._kept()]))

    def _kept(self) -> list[str]:
        """What a stack leaves behind, in words."""
        groups = len(self.clients("logs").describe_log_groups()["logGroups"])
        buckets = [each["Name"] for each in self.clients("s3").list_buckets()["Buckets"]]
        telemetry = [f"{name} is kept" for name in buckets if name.startswith(f"{self.stack.lower()}-")]
        return [*([f"{groups} log groups are kept"] if groups else []), *telemetry]

    def ready(self) -> dict[str, Any]:
        """What a script needs to use a rehearsal that is kept."""
        front = self._front()
        told: dict[str, Any] = {
            "endpoint_url": self.aws.endpoint_url,
            "api_url": front.url,
            "dashboard_url": show(front, self.clients, self.stack, self.outputs, self.config, self.first),
            "stack": self.stack,
            "auth": self.config.endpoint.auth,
            "account": self.aws.account,
            "region": self.aws.region,
            "access_key_id": self.aws.credentials.access_key_id,
            "secret_access_key": self.aws.credentials.secret_access_key,
            "outputs": self.outputs,
        }
        if self.config.endpoint.auth == "api_key":
            key = self.clients("apigateway").get_api_key(apiKey=self.outputs["ApiKeyId"], includeValue=True)
            told["api_key"] = key["value"]
        if self.config.endpoint.auth == "jwt":
            told["token"] = token_of(front)
        return told

    def close(self) -> None:
        if self.front:
            self.front.close()

    def _front(self) -> ApiFront:
        self.front = self.front or front_of(self.clients, self.aws.credentials, self.stack)
        return self.front

    def _caller(self) -> Caller:
        return caller_of(self._front(), self.config.endpoint.auth, self.aws, self.clients, self.outputs)

    def _replay(self, caller: Caller) -> Agreement:
        return caller.replay(read_golden(self.first / GOLDEN), read_contract(self.first), self._tolerance())

    def _tolerance(self) -> float:
        proof = Release.read(self.first).proof
        return DEFAULT_TOLERANCE if proof is None else proof.tolerance

    def _deployed(self, folder: Path, release: Release) -> Deployed:
        template = self.clients("cloudformation").get_template(StackName=self.stack)["TemplateBody"]
        return Deployed(
            clients=self.clients,
            stack=self.stack,
            outputs=self.outputs,
            template=template if isinstance(template, dict) else json.loads(template),
            config=self.config,
            release=release,
            release_folder=folder,
        )

    def _synthesise(self, release: Release) -> str:
        """The assembly of the locked release, made by the project's own app once for each release.

        The first one went through all of the app's validations; the others are the same stack around another zip.
        """
        assembly = f"{ASSEMBLY}/{release.version}"
        if not (self.workspace.folder / assembly).exists():
            validate = {} if not (self.workspace.folder / ASSEMBLY).exists() else {"CDK_VALIDATION": "false"}
            arguments = ("synth", self.stack, "--quiet", "--output", assembly)
            self.cdk.must(*arguments, context=self.context, extra=validate)
        return assembly

    def _refusal(self, printed: str) -> str:
        """What the hook said against the last deployment. Raises CheckFailedError when it failed for another reason."""
        codedeploy, group = self.clients("codedeploy"), self.outputs["DeploymentGroup"]
        (application,) = stack_resources(self.clients, self.stack)["AWS::CodeDeploy::Application"]
        names = codedeploy.list_deployments(applicationName=application, deploymentGroupName=group)["deployments"]
        last = codedeploy.get_deployment(deploymentId=names[0])["deploymentInfo"] if names else {}
        if last.get("status") != "Failed" or last["errorInformation"]["code"] != "HOOK_EXECUTION_FAILURE":
            raise CheckFailedError(
                f"The deployment failed, but no hook refused it (CodeDeploy: {last.get('status')}):\n{printed[-3000:]}"
            )
        for name in self.clients("logs").describe_log_groups()["logGroups"]:
            found = self.clients("logs").filter_log_events(logGroupName=name["logGroupName"])["events"]
            spoken = [event["message"] for event in found if '"verdict": "refused"' in event["message"]]
            if spoken:
                return str(json.loads(spoken[-1])["reason"])
        raise CheckFailedError("The hook refused the release, but its log doesn't say why.")


@contextmanager
def rehearsal(plan: Plan, listener: Listener) -> Iterator[Rehearsal]:
    """An emulated AWS and a workspace, both gone afterwards."""
    config = load_config(plan.project, plan.stage)
    if config.stages and plan.stage is None:
        raise LightshipError(f"lightship.toml has the stages {', '.join(config.stages)}. Say which one: --stage NAME.")
    first = plan.release or locked_folder(plan.project)
    release = Release.read(first)
    tool = cdk_tool(plan.project)
    account, region = config.deploy.account or ACCOUNT, config.deploy.region or REGION
    with ExitStack() as stack:
        workspace = stack.enter_context(workspace_of(plan.project))
        workspace.lock(first)
        config = give_batch(workspace, config, release)
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lightship-variants-")))
        aws = stack.enter_context(EmulatedAws.start(account=account, region=region, log=listener.line))
        cdk = Cdk(tool, aws, workspace.folder, listener.line)
        running = Rehearsal(config, aws, cdk, workspace, first, scratch, listener)
        create_buckets(running.clients, config)
        stack.callback(running.close)
        yield running


def rehearse(plan: Plan, listener: Listener) -> list[Step]:
    """The whole rehearsal. Raises LightshipError at the first thing that isn't as it has to be."""
    with rehearsal(plan, listener) as running:
        running.bootstrap()
        running.deploy("first deployment", running.first)
        running.call()
        running.batch()
        running.monitor()
        running.drill()
        running.update(variants.as_good(running.first, running.scratch / "good"))
        running.call()
        running.alarm()
        classes = read_contract(running.first).output.classes
        running.refuse(variants.differing(running.first, running.scratch / "differing", classes))
        running.deploy("rollback to the first release", running.first)
        running.call()
        running.destroy()
        return running.steps


def keep(plan: Plan, listener: Listener, *, ready: Callable[[dict[str, Any]], threading.Event]) -> list[Step]:
    """Deploy and call, then leave everything running. `ready` is called once and gives the event that ends it."""
    with rehearsal(plan, listener) as running:
        running.bootstrap()
        running.deploy("first deployment", running.first)
        running.call()
        running.batch()
        running.monitor()
        ready(running.ready()).wait()
        return running.steps
