"""CodeDeploy for Lambda: applications, groups, and deployments that really run hooks and move aliases.

The minutes between a canary's steps pass at once: a rehearsal shows that the shift is wired, and that an alarm or a
hook stops it, not how long it takes. https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-steps-lambda.html
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lightship.rehearsal.emulator.clients import Clients
from lightship_runtime.errors import LightshipError

HOOK_TIMEOUT_S = 900.0
DEFAULT_CONFIGS = frozenset(
    ["CodeDeployDefault.LambdaAllAtOnce"]
    + [f"CodeDeployDefault.LambdaCanary10Percent{minutes}Minutes" for minutes in (5, 10, 15, 30)]
    + [
        f"CodeDeployDefault.LambdaLinear10PercentEvery{every}"
        for every in ("1Minute", "2Minutes", "3Minutes", "10Minutes")
    ]
)

type Input = dict[str, Any]


class CodeDeployError(LightshipError):
    """An error of the caller's, with CodeDeploy's code."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class DeploymentFailedError(LightshipError):
    """A deployment came to an end that isn't success. `code` and `status` are CodeDeploy's."""

    def __init__(self, code: str, message: str, status: str = "Failed") -> None:
        self.code, self.status = code, status
        super().__init__(message)


@dataclass
class Deployment:
    """One shift of an alias."""

    id: str
    application: str
    group: Input
    revision: Input
    function: str
    alias: str
    current: str
    target: str
    hooks: list[Mapping[str, str]]
    created: float = field(default_factory=time.time)
    completed: float | None = None
    status: str = "Created"
    error: Input | None = None
    stopping: bool = False
    events: dict[str, str] = field(default_factory=dict)
    answers: dict[str, threading.Event] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)

    def info(self) -> Input:
        info = {
            "applicationName": self.application,
            "deploymentGroupName": self.group["deploymentGroupName"],
            "deploymentConfigName": self.group.get("deploymentConfigName"),
            "deploymentId": self.id,
            "revision": self.revision,
            "status": self.status,
            "createTime": self.created,
            "completeTime": self.completed,
            "errorInformation": self.error,
            "creator": "CloudFormation",
            "computePlatform": "Lambda",
        }
        return {name: item for name, item in info.items() if item is not None}


class CodeDeploy:
    """Answers the operations that the CDK's constructs, CloudFormation, hooks and `lightship status` use."""

    def __init__(self, aws: Clients) -> None:
        self._aws = aws
        self._applications: dict[str, Input] = {}
        self._groups: dict[tuple[str, str], Input] = {}
        self._configs: dict[str, Input] = {name: _config(name) for name in DEFAULT_CONFIGS}
        self._deployments: dict[str, Deployment] = {}
        self._lock = threading.RLock()
        self._actions: Mapping[str, Callable[[Input], Input]] = {
            "BatchGetDeployments": self._batch_get_deployments,
            "CreateApplication": self._create_application,
            "CreateDeployment": self._create_deployment,
            "CreateDeploymentConfig": self._create_config,
            "CreateDeploymentGroup": self._create_group,
            "DeleteApplication": self._delete_application,
            "DeleteDeploymentConfig": self._delete_config,
            "DeleteDeploymentGroup": self._delete_group,
            "GetApplication": self._get_application,
            "GetDeployment": self._get_deployment,
            "GetDeploymentConfig": self._get_config,
            "GetDeploymentGroup": self._get_group,
            "ListApplications": lambda _: {"applications": list(self._applications)},
            "ListDeploymentGroups": self._list_groups,
            "ListDeployments": self._list_deployments,
            "PutLifecycleEventHookExecutionStatus": self._put_hook_status,
            "StopDeployment": self._stop_deployment,
            "UpdateDeploymentGroup": self._update_group,
        }

    def __call__(self, action: str, given: Input) -> Input:
        """Raises CodeDeployError, for an unknown operation too."""
        if action not in self._actions:
            raise CodeDeployError("UnknownOperationException", f"The emulated CodeDeploy has no operation {action}.")
        with self._lock:
            return self._actions[action](given)

    def _create_application(self, given: Input) -> Input:
        name = given["applicationName"]
        if name in self._applications:
            raise CodeDeployError("ApplicationAlreadyExistsException", f"Application {name} already exists.")
        platform = given.get("computePlatform", "Server")
        if platform != "Lambda":
            raise CodeDeployError("InvalidComputePlatformException", f"The emulation deploys Lambda, not {platform}.")
        identifier = str(uuid.uuid4())
        self._applications[name] = {
            "applicationId": identifier,
            "applicationName": name,
            "computePlatform": platform,
            "createTime": time.time(),
        }
        return {"applicationId": identifier}

    def _get_application(self, given: Input) -> Input:
        return {"application": self._application(given["applicationName"])}

    def _application(self, name: str) -> Input:
        if name not in self._applications:
            raise CodeDeployError("ApplicationDoesNotExistException", f"No application found for name: {name}")
        return self._applications[name]

    def _delete_application(self, given: Input) -> Input:
        self._applications.pop(given["applicationName"], None)
        self._groups = {key: group for key, group in self._groups.items() if key[0] != given["applicationName"]}
        return {}

    def _create_group(self, given: Input) -> Input:
        self._application(given["applicationName"])
        key = (given["applicationName"], given["deploymentGroupName"])
        if key in self._groups:
            raise CodeDeployError("DeploymentGroupAlreadyExistsException", f"Deployment group {key[1]} already exists.")
        config = given.setdefault("deploymentConfigName", "CodeDeployDefault.LambdaAllAtOnce")
        self._config(config)
        identifier = str(uuid.uuid4())
        given.pop("tags", None)
        self._groups[key] = {**given, "deploymentGroupId": identifier, "computePlatform": "Lambda"}
        return {"deploymentGroupId": identifier}

    def _update_group(self, given: Input) -> Input:
        group = self._group(given["applicationName"], given.pop("currentDeploymentGroupName"))
        self._config(str(given.get("deploymentConfigName", group["deploymentConfigName"])))
        group.update(given)
        return {}

    def _get_group(self, given: Input) -> Input:
        return {"deploymentGroupInfo": self._group(given["applicationName"], given["deploymentGroupName"])}

    def _group(self, application: str, name: str | None) -> Input:
        self._application(application)
        if (application, name or "") not in self._groups:
            raise CodeDeployError("DeploymentGroupDoesNotExistException", f"No Deployment Group found for name: {name}")
        return self._groups[application, name or ""]

    def _delete_group(self, given: Input) -> Input:
        self._groups.pop((given["applicationName"], given["deploymentGroupName"]), None)
        return {"hooksNotCleanedUp": []}

    def _list_groups(self, given: Input) -> Input:
        name = given["applicationName"]
        self._application(name)
        return {"applicationName": name, "deploymentGroups": [group for owner, group in self._groups if owner == name]}

    def _create_config(self, given: Input) -> Input:
        name = given["deploymentConfigName"]
        if name in self._configs:
            raise CodeDeployError("DeploymentConfigAlreadyExistsException", f"Deployment config {name} already exists.")
        identifier = str(uuid.uuid4())
        self._configs[name] = {**given, "deploymentConfigId": identifier, "createTime": time.time()}
        return {"deploymentConfigId": identifier}

    def _get_config(self, given: Input) -> Input:
        return {"deploymentConfigInfo": self._config(given["deploymentConfigName"])}

    def _config(self, name: str) -> Input:
        if name not in self._configs:
            raise CodeDeployError("DeploymentConfigDoesNotExistException", f"No Deployment Configuration {name}")
        return self._configs[name]

    def _delete_config(self, given: Input) -> Input:
        self._configs.pop(given["deploymentConfigName"], None)
        return {}

    def _create_deployment(self, given: Input) -> Input:
        group = self._group(given["applicationName"], given["deploymentGroupName"])
        content = json.loads(given["revision"]["appSpecContent"]["content"])
        ((_, resource),) = content["Resources"][0].items()
        moved = resource["Properties"]
        deployment = Deployment(
            id=f"d-{uuid.uuid4().hex[:9].upper()}",
            application=given["applicationName"],
            group=dict(group),
            revision=given["revision"],
            function=moved["Name"],
            alias=moved["Alias"],
            current=str(moved["CurrentVersion"]),
            target=str(moved["TargetVersion"]),
            hooks=content.get("Hooks") or [],
        )
        self._deployments[deployment.id] = deployment
        threading.Thread(target=self._run, args=(deployment,), name=deployment.id, daemon=True).start()
        return {"deploymentId": deployment.id}

    def _deployment(self, identifier: str) -> Deployment:
        if identifier not in self._deployments:
            raise CodeDeployError("DeploymentDoesNotExistException", f"No deployment found for id: {identifier}")
        return self._deployments[identifier]

    def _get_deployment(self, given: Input) -> Input:
        return {"deploymentInfo": self._deployment(given["deploymentId"]).info()}

    def _batch_get_deployments(self, given: Input) -> Input:
        return {"deploymentsInfo": [self._deployment(identifier).info() for identifier in given["deploymentIds"]]}

    def _list_deployments(self, given: Input) -> Input:
        statuses = given.get("includeOnlyStatuses")
        found = [
            deployment.id
            for deployment in reversed(self._deployments.values())
            if given.get("applicationName") in {None, deployment.application}
            and given.get("deploymentGroupName") in {None, deployment.group["deploymentGroupName"]}
            and (not statuses or deployment.status in statuses)
        ]
        return {"deployments": found}

    def _stop_deployment(self, given: Input) -> Input:
        deployment = self._deployment(given["deploymentId"])
        deployment.stopping = True
        for answer in deployment.answers.values():
            answer.set()
        return {"status": "Pending", "statusMessage": "Stopping"}

    def _put_hook_status(self, given: Input) -> Input:
        deployment = self._deployment(given["deploymentId"])
        execution = given["lifecycleEventHookExecutionId"]
        if execution not in deployment.answers:
            code = "InvalidLifecycleEventHookExecutionIdException"
            raise CodeDeployError(code, f"No hook of {deployment.id} waits under {execution}.")
        deployment.verdicts[execution] = given.get("status", "")
        deployment.answers[execution].set()
        return {"lifecycleEventHookExecutionId": execution}

    def _run(self, deployment: Deployment) -> None:
        deployment.status = "InProgress"
        try:
            self._hook(deployment, "BeforeAllowTraffic")
            self._shift(deployment)
            self._hook(deployment, "AfterAllowTraffic")
        except DeploymentFailedError as error:
            self._point(deployment, deployment.current)
            deployment.error = {"code": error.code, "message": str(error)}
            deployment.status = error.status
        except Exception as error:  # noqa: BLE001 - whatever stops a deployment is its outcome
            self._point(deployment, deployment.current)
            deployment.error = {"code": "INTERNAL_ERROR", "message": str(error)}
            deployment.status = "Failed"
        else:
            deployment.status = "Succeeded"
        deployment.completed = time.time()

    def _hook(self, deployment: Deployment, event: str) -> None:
        """Invoke the event's hook, if there is one, and wait for its verdict."""
        function = next((hook[event] for hook in deployment.hooks if event in hook), None)
        if function is None:
            return
        execution = str(uuid.uuid4())
        deployment.answers[execution] = arrived = threading.Event()
        deployment.events[event] = "InProgress"
        payload = {"DeploymentId": deployment.id, "LifecycleEventHookExecutionId": execution}
        answer = self._aws("lambda").invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        told = answer["Payload"].read().decode()
        if "FunctionError" in answer and not arrived.is_set():
            deployment.events[event] = "Failed"
            raise DeploymentFailedError(
                "LAMBDA_FUNCTION_HOOK_FAILED", f"The {event} hook {function} failed: {told[:500]}"
            )
        arrived.wait(HOOK_TIMEOUT_S)
        verdict = deployment.verdicts.get(execution, "")
        deployment.events[event] = verdict or "Unknown"
        if deployment.stopping:
            raise DeploymentFailedError("MANUAL_STOP", "The deployment was stopped.", "Stopped")
        if verdict != "Succeeded":
            raise DeploymentFailedError(
                "HOOK_EXECUTION_FAILURE", f"The {event} hook {function} said {verdict or 'nothing'}: {told[:1500]}"
            )

    def _shift(self, deployment: Deployment) -> None:
        for weight in self._steps(deployment):
            self._check_alarms(deployment)
            self._point(deployment, deployment.current, {deployment.target: weight})
        self._check_alarms(deployment)
        self._point(deployment, deployment.target)

    def _steps(self, deployment: Deployment) -> list[float]:
        """The share of traffic after each step but the last, which is all of it."""
        config = self._config(deployment.group["deploymentConfigName"]).get("trafficRoutingConfig") or {}
        match config.get("type", "AllAtOnce"):
            case "TimeBasedCanary":
                return [config["timeBasedCanary"]["canaryPercentage"] / 100]
            case "TimeBasedLinear":
                step = config["timeBasedLinear"]["linearPercentage"]
                return [share / 100 for share in range(step, 100, step)]
        return []

    def _check_alarms(self, deployment: Deployment) -> None:
        """Raise DeploymentFailedError when an alarm of the group sounds, or the deployment was stopped."""
        if deployment.stopping:
            raise DeploymentFailedError("MANUAL_STOP", "The deployment was stopped.", "Stopped")
        watched = deployment.group.get("alarmConfiguration") or {}
        names = [alarm["name"] for alarm in watched.get("alarms", [])]
        if not names or not watched.get("enabled", True):
            return
        found = self._aws("cloudwatch").describe_alarms(AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        alarms = found["MetricAlarms"] + found["CompositeAlarms"]
        if missing := sorted(set(names) - {alarm["AlarmName"] for alarm in alarms}):
            raise DeploymentFailedError("ALARM_ACTIVE", f"The alarms {', '.join(missing)} don't exist.", "Stopped")
        sounding = sorted(alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM")
        if sounding:
            told = f"One or more alarms have been activated: {', '.join(sounding)}"
            raise DeploymentFailedError("ALARM_ACTIVE", told, "Stopped")

    def _point(self, deployment: Deployment, version: str, weights: Mapping[str, float] | None = None) -> None:
        self._aws("lambda").update_alias(
            FunctionName=deployment.function,
            Name=deployment.alias,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": dict(weights or {})},
        )


def _config(name: str) -> Input:
    """One of CodeDeploy's own configurations, told by its name."""
    words = name.removeprefix("CodeDeployDefault.Lambda")
    routing: Input = {"type": "AllAtOnce"}
    if words.startswith("Canary"):
        minutes = int(words.removeprefix("Canary10Percent").removesuffix("Minutes"))
        canary = {"canaryPercentage": 10, "canaryInterval": minutes}
        routing = {"type": "TimeBasedCanary", "timeBasedCanary": canary}
    elif words.startswith("Linear"):
        minutes = int(words.removeprefix("Linear10PercentEvery").removesuffix("s").removesuffix("Minute"))
        linear = {"linearPercentage": 10, "linearInterval": minutes}
        routing = {"type": "TimeBasedLinear", "timeBasedLinear": linear}
    return {"deploymentConfigName": name, "computePlatform": "Lambda", "trafficRoutingConfig": routing}
