"""What a stack deploys, as far as an incident touches it: which resource plays which part, and AWS's names for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lightship.drill.cloudwatch.alarms import Alarm, MetricAlarm
from lightship.drill.cloudwatch.series import MINUTE, MetricId
from lightship.drill.cloudwatch.template import Resource, Stack
from lightship_runtime.errors import LightshipError

LAMBDA, GATEWAY = "AWS/Lambda", "AWS/ApiGateway"
FUNCTION, ALIAS, VERSION = "AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Lambda::Version"
HTTP_API, REST_API = "AWS::ApiGatewayV2::Api", "AWS::ApiGateway::RestApi"
HTTP_NAMES = {"count": "Count", "server": "5xx", "client": "4xx", "latency": "Latency", "inner": "IntegrationLatency"}
REST_NAMES = {**HTTP_NAMES, "server": "5XXError", "client": "4XXError"}
REALTIME = "lightship_runtime.realtime"


@dataclass(frozen=True)
class Api:
    """The metrics of one API: `names` by what they count. It lets `rate` requests a second through."""

    dimensions: Sequence[Mapping[str, str]]
    names: Mapping[str, str]
    rate: float

    def ids(self, kind: str) -> list[MetricId]:
        return [MetricId.of(GATEWAY, self.names[kind], each) for each in self.dimensions]


@dataclass(frozen=True)
class Deployment:
    """A resolved stack and the parts in it. `service` begins the names of its alarms, `model` is the release's."""

    stack: Stack
    service: str
    model: str

    @cached_property
    def predict(self) -> Resource:
        """The function that answers requests."""
        named = self.stack.outputs.get("FunctionName")
        for each in self.stack.of_type(FUNCTION):
            if each.name == named or (named is None and REALTIME in str(each.properties.get("Handler"))):
                return each
        raise LightshipError("The template has no function that predicts. Give one that Lightship synthesised.")

    @cached_property
    def timeout_s(self) -> float:
        return float(self.predict.properties.get("Timeout", 3))

    @cached_property
    def api(self) -> Api:
        """The endpoint's API. Raises LightshipError when there is none."""
        for each in self.stack.of_type(HTTP_API):
            stages = self.stack.of_type("AWS::ApiGatewayV2::Stage")
            settings = stages[0].properties.get("DefaultRouteSettings", {}) if stages else {}
            return Api([{"ApiId": each.name}], HTTP_NAMES, float(settings.get("ThrottlingRateLimit", 10_000)))
        for each in self.stack.of_type(REST_API):
            stage = self.stack.of_type("AWS::ApiGateway::Stage")[0].properties
            name = str(each.properties.get("Name", each.name))
            settings = dict(next(iter(stage.get("MethodSettings", ())), ()))
            dimensions = [{"ApiName": name}, {"ApiName": name, "Stage": str(stage.get("StageName"))}]
            return Api(dimensions, REST_NAMES, float(settings.get("ThrottlingRateLimit", 10_000)))
        raise LightshipError("The template has no API. Give one that Lightship synthesised.")

    def lambda_ids(self, function: Resource, name: str) -> list[MetricId]:
        """What Lambda calls a metric of a function: of it all, by alias, and by the version that an alias ran.

        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html
        """
        dimensions: list[dict[str, str]] = [{"FunctionName": function.name}]
        for alias in self.stack.of_type(ALIAS):
            if alias.properties.get("FunctionName") == function.name:
                qualified = {"FunctionName": function.name, "Resource": f"{function.name}:{alias.properties['Name']}"}
                version = str(alias.properties["FunctionVersion"])
                dimensions += [qualified, {**qualified, "ExecutedVersion": version}]
        return [MetricId.of(LAMBDA, name, each) for each in dimensions]

    def found(self, kind: str, fragment: str = "") -> list[Resource]:
        """Resources of a type whose path in the construct tree has this in it. Logical ids are made of that path, and
        stand in for it where the template doesn't have it."""
        wanted = _bare(fragment)
        return [each for each in self.stack.of_type(kind) if wanted in _bare(f"{each.logical_id} {each.path}")]

    def title(self, alarm: str) -> str:
        """An alarm's name without the service's before it and a version's after it."""
        title = alarm.removeprefix(f"{self.service}-")
        head, _, tail = title.rpartition("-v")
        return head if head and tail.isdigit() else title

    def alarm(self, title: str) -> Alarm | None:
        return next((each for each in self.stack.alarms if self.title(each.name) == title), None)

    @cached_property
    def titles(self) -> tuple[str, ...]:
        return tuple(self.title(each.name) for each in self.stack.alarms)

    @cached_property
    def reach_minutes(self) -> int:
        """How far back an alarm looks at most, when no point is missing."""
        metric = [each for each in self.stack.alarms if isinstance(each, MetricAlarm)]
        return max(each.periods * each.period_s // MINUTE for each in metric)

    @cached_property
    def watched(self) -> frozenset[MetricId]:
        """Every metric that an alarm looks at."""
        return frozenset(
            each for alarm in self.stack.alarms if isinstance(alarm, MetricAlarm) for each in alarm.metrics
        )

    def topic_kind(self, arn: str) -> str:
        """`pages` or `tickets`, or the topic's own name."""
        for kind, output in (("pages", "PagesTopic"), ("tickets", "TicketsTopic")):
            if self.stack.outputs.get(output) == arn:
                return kind
        return arn.rpartition(":")[2]


def deployment_of(stack: Stack, service: str, model: str) -> Deployment:
    """Raises LightshipError when no alarm of the stack is named after the service."""
    if not any(each.name.startswith(f"{service}-") for each in stack.alarms):
        names = ", ".join(each.name for each in stack.alarms[:3])
        raise LightshipError(f"No alarm of the template is named {service}-...: it has {names}. Give --stage.")
    return Deployment(stack, service, model)


def _bare(path: str) -> str:
    return path.replace("/", "").lower()


def variables_of(function: Resource) -> dict[str, str]:
    """The environment that a function is deployed with."""
    variables: Mapping[str, Any] = function.properties.get("Environment", {}).get("Variables", {})
    return {key: str(value) for key, value in variables.items()}
