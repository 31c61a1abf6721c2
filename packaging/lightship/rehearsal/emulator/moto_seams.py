"""Where moto 5.2.5 isn't honest enough for a rehearsal, and what takes its place. It is pinned to that version.

Every seam is named with what moto does by itself. Besides this module, only `notifications`, `item_batcher`, `map_runs`
and `redrives` touch moto's insides.
"""

import json
import os
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

from lightship.rehearsal.emulator import notifications
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.emulator.deliveries import delivered
from lightship.rehearsal.emulator.filter_patterns import matches
from lightship.rehearsal.emulator.functions import Deployed, Functions
from lightship.rehearsal.emulator.mutes import MuteRules
from lightship.rehearsal.emulator.seams import replace
from lightship_runtime.errors import LightshipError

MOTO = "5.2.5"
KEPT_SETTINGS = ("LoggingConfig", "DeadLetterConfig", "SnapStart", "FileSystemConfigs")
LONGEST_RETRY_WAIT_S = 0.1


def prepare_environment(account: str, port: int) -> None:
    """Settings that moto reads as it is imported: the account, its own address, no CORS, AWS's managed policies."""
    os.environ |= {
        "MOTO_ACCOUNT_ID": account,
        "MOTO_PORT": str(port),
        "MOTO_DISABLE_GLOBAL_CORS": "true",
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    }


def check_version() -> None:
    """Raises LightshipError when another moto is installed, whose insides may differ."""
    found = version("moto")
    if found != MOTO:
        raise LightshipError(
            f"The rehearsal needs moto {MOTO}, not {found}. Install it with `pip install moto[server]=={MOTO}`."
        )


def install(aws: Clients, functions: Functions) -> Callable[[str], bool]:
    """Put all seams in place. Gives a function that tells whether STS gave out an access key."""
    _lambda_settings()
    _lambda_invocations(functions)
    _bucket_policies()
    install_cloudwatch()
    _state_machines(aws)
    _subscriptions()
    _deliveries(aws)
    notifications.install(aws)
    return _issued_keys(aws.account)


def _lambda_settings() -> None:
    """moto drops these settings of a function, and answers SnapStart "None" whatever was asked."""
    from moto.awslambda.models import LambdaFunction

    init, update, get = LambdaFunction.__init__, LambdaFunction.update_configuration, LambdaFunction.get_configuration

    def keep(self: Any, spec: dict[str, Any]) -> None:
        kept = {name: spec[name] for name in KEPT_SETTINGS if name in spec}
        # A version is a shallow copy of the function: it must not change with it.
        self.kept_settings = {**getattr(self, "kept_settings", {}), **kept}
        if group := kept.get("LoggingConfig", {}).get("LogGroup"):
            self.logs_group_name = group

    def new_init(self: Any, account_id: str, spec: dict[str, Any], region: str, *more: Any, **named: Any) -> None:
        init(self, account_id, spec, region, *more, **named)
        keep(self, spec)

    def new_update(self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
        update(self, config_updates)
        keep(self, config_updates)
        if "TracingConfig" in config_updates:
            self.tracing_config = config_updates["TracingConfig"]
        answer: dict[str, Any] = self.get_configuration()
        return answer

    def new_get(self: Any, *args: Any, **named: Any) -> dict[str, Any]:
        answer: dict[str, Any] = get(self, *args, **named)
        answer |= self.kept_settings
        if "SnapStart" in self.kept_settings:
            optimised = self.kept_settings["SnapStart"]["ApplyOn"] != "None" and str(self.version) != "$LATEST"
            answer["SnapStart"] = {
                **self.kept_settings["SnapStart"],
                "OptimizationStatus": "On" if optimised else "Off",
            }
        return answer

    replace(LambdaFunction, "__init__", new_init)
    replace(LambdaFunction, "update_configuration", new_update)
    replace(LambdaFunction, "get_configuration", new_get)


def _lambda_invocations(functions: Functions) -> None:
    """moto runs functions in docker, or else answers a fixed text."""
    from moto.awslambda.models import LambdaFunction

    def run(self: Any, event: Any = None) -> tuple[str, bool, str]:
        body = event if isinstance(event, str) else json.dumps(event)
        outcome = functions.run(_deployed(self), body.encode())
        return outcome.payload, outcome.error, outcome.log

    replace(LambdaFunction, "_invoke_lambda", run)


def _deployed(function: Any) -> Deployed:
    return Deployed(
        arn=function.function_arn,
        name=function.function_name,
        version=str(function.version),
        runtime=function.run_time or "",
        handler=function.handler or "",
        role=function.role,
        memory_mb=int(function.memory_size),
        timeout_s=float(function.timeout),
        environment=dict(function.environment_vars or {}),
        log_group=function.logs_group_name,
        code=function.code_bytes,
        snapstart=function.kept_settings.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions",
    )


def _bucket_policies() -> None:
    """moto evaluates bucket policies without their conditions: "deny unless TLS" would deny everything."""
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    replace(FakeBucket, "get_permission", lambda *_: PermissionResult.NEUTRAL)


def install_cloudwatch() -> None:
    """Composite alarms and mute rules."""
    _composite_alarms()
    _mute_rules()


def _composite_alarms() -> None:
    """moto's backend knows composite alarms, but no operation makes them."""
    from moto.cloudwatch.responses import CloudWatchResponse

    replace(CloudWatchResponse, "put_composite_alarm", CloudWatchResponse.put_metric_alarm)


def _mute_rules() -> None:
    """moto has no mute rules."""
    from moto.cloudwatch.exceptions import ResourceNotFoundException, ValidationError
    from moto.cloudwatch.responses import CloudWatchResponse
    from moto.core.responses import ActionResult, EmptyResult

    rules: dict[tuple[str, str], MuteRules] = {}

    def of(self: Any) -> MuteRules:
        return rules.setdefault((self.current_account, self.region), MuteRules())

    def arn(self: Any, name: str) -> str:
        return f"arn:aws:cloudwatch:{self.region}:{self.current_account}:alarm-mute-rule:{name}"

    def put(self: Any) -> Any:
        if wrong := of(self).put(dict(self._get_params()), frozenset(self.cloudwatch_backend.alarms)):
            raise ValidationError(wrong)
        return EmptyResult()

    def get(self: Any) -> Any:
        name = self._get_param("AlarmMuteRuleName")
        found = of(self).get(name, datetime.now(UTC))
        if found is None:
            raise ResourceNotFoundException(f"Alarm mute rule {name} does not exist.")
        return ActionResult({**found, "AlarmMuteRuleArn": arn(self, name)})

    def list_rules(self: Any) -> Any:
        found = of(self).find(self._get_param("AlarmName"), self._get_param("Statuses", []), datetime.now(UTC))
        told = [
            {
                "AlarmMuteRuleArn": arn(self, each["Name"]),
                "ExpireDate": each.get("ExpireDate"),
                "Status": each["Status"],
            }
            for each in found
        ]
        return ActionResult({"AlarmMuteRuleSummaries": told})

    def delete(self: Any) -> Any:
        of(self).delete(self._get_param("AlarmMuteRuleName"))
        return EmptyResult()

    for name, answer in (("put", put), ("get", get), ("delete", delete)):
        replace(CloudWatchResponse, f"{name}_alarm_mute_rule", answer)
    replace(CloudWatchResponse, "list_alarm_mute_rules", list_rules)


def _state_machines(aws: Clients) -> None:
    """moto executes state machines on request only, signs its calls with keys of its own, waits out a Retry's seconds,
    can't batch items, and neither fails a distributed map nor redrives."""
    import boto3
    from moto.core.config import default_user_config
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
    from moto.stepfunctions.parser.asl.utils import boto_client

    from lightship.rehearsal.emulator import item_batcher, redrives

    default_user_config["stepfunctions"] = {"execute_state_machine": True}

    def client(**named: Any) -> Any:
        named |= {
            "endpoint_url": aws.endpoint_url,
            "aws_access_key_id": aws.access_key_id,
            "aws_secret_access_key": aws.secret_access_key,
        }
        return boto3.client(**named)

    def wait(seconds: float) -> None:
        time.sleep(min(seconds, LONGEST_RETRY_WAIT_S))

    replace(boto_client, "boto3", SimpleNamespace(client=client))
    replace(retrier_decl, "time", SimpleNamespace(sleep=wait))
    item_batcher.install()
    redrives.install()


def _subscriptions() -> None:
    """moto sends every line to a subscription, whatever its pattern, and can't change one of two.

    Lambda ends each line with a newline, which is part of what a subscription is sent.
    """
    from moto.logs.models import LogGroup, LogStream

    send, put = LogStream._send_log_events, LogGroup.put_subscription_filter

    def matching(self: Any, service: str, destination_arn: str, filter_name: str, log_events: list[Any]) -> None:
        pattern = self.log_group.subscription_filters[filter_name].filter_pattern
        lines = [
            {**event, "message": f"{event['message']}\n"} for event in log_events if matches(pattern, event["message"])
        ]
        if lines:
            send(self, service, destination_arn, filter_name, lines)

    def change(self: Any, filter_name: str, filter_pattern: str, destination_arn: str, role_arn: str) -> None:
        if known := self.subscription_filters.get(filter_name):
            known.update(filter_pattern, destination_arn, role_arn)
        else:
            put(self, filter_name, filter_pattern, destination_arn, role_arn)

    replace(LogStream, "_send_log_events", matching)
    replace(LogGroup, "put_subscription_filter", change)


def _deliveries(aws: Clients) -> None:
    """moto writes records to S3 as they came, whatever the stream's processors and prefixes."""
    from moto.firehose.models import FirehoseBackend

    def deliver(_self: Any, stream: str, _version: str, destination: Any, records: list[Any]) -> list[dict[str, str]]:
        bucket = destination["BucketARN"].rpartition(":")[2]
        for made in delivered(stream, destination, [record["Data"] for record in records], datetime.now(UTC)):
            aws("s3").put_object(Bucket=bucket, Key=made.key, Body=made.body)
        return [{"RecordId": str(uuid.uuid4())} for _ in records]

    replace(FirehoseBackend, "put_s3_records", deliver)


def _issued_keys(account: str) -> Callable[[str], bool]:
    from moto.sts.models import sts_backends

    backend = sts_backends[account]["aws"]
    return lambda key: backend.get_assumed_role_from_access_key(key) is not None
