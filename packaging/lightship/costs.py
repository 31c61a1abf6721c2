"""What a synthesised stack costs a month at a stated traffic.

Reads the template, so that whatever is in it is counted. List prices of us-east-1 in US dollars, without the free tier:
https://aws.amazon.com/lambda/pricing/, /api-gateway/pricing/, /cloudwatch/pricing/, /firehose/pricing/, /s3/pricing/,
/kms/pricing/, /waf/pricing/.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

HOURS = 730
SECONDS = HOURS * 3600
MILLION = 1_000_000

LAMBDA_REQUESTS = 0.20 / MILLION
# Per GB and second, by architecture: on demand; while provisioned; running on what is provisioned.
LAMBDA_DURATION = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
LAMBDA_PROVISIONED = {"x86_64": 0.0000041667, "arm64": 0.0000033334}
LAMBDA_PROVISIONED_DURATION = {"x86_64": 0.0000097222, "arm64": 0.0000077778}
SNAPSTART_CACHE = 0.0000015046
SNAPSTART_RESTORE = 0.0001397998
HTTP_API = 1.00 / MILLION
REST_API = 3.50 / MILLION
LOG_INGESTED_GB = 0.50
LOG_STORED_GB = 0.03
# An alarm on an expression is billed for each metric in it.
ALARM_METRIC = 0.10
COMPOSITE_ALARM = 0.50
CUSTOM_METRIC = 0.30
DASHBOARD = 3.00
KMS_KEY = 1.00
WEB_ACL, WEB_ACL_RULE, WEB_ACL_REQUEST = 5.00, 1.00, 0.60 / MILLION
XRAY_TRACE = 5.00 / MILLION
# Firehose bills each record that it is sent as a multiple of five kilobytes, and what it unpacks by its size.
FIREHOSE_GB, FIREHOSE_UNPACKED_GB, FIREHOSE_STEP = 0.029, 0.00325, 5_120
S3_STORED_GB, S3_PUT = 0.023, 0.005 / 1000

# Requests, Predictions, Refused, Failed, Latency and ColdStarts of each stage, billed for the hours that have them.
TELEMETRY_METRICS = 6
# START, END and REPORT around the telemetry line; the line itself by its fixed part and by row; the access log's.
PLATFORM_LOG_BYTES, TELEMETRY_BYTES, ROW_BYTES, ACCESS_LOG_BYTES = 350, 480, 90, 350

# What the monitor and the labels report of each stage, and one of its hourly runs: seconds beside its rows, listings
# and writes of S3.
MONITOR_METRICS = 19
MONITOR_RUN_S, MONITOR_ROWS_S, MONITOR_LISTINGS = 5.0, 50_000, 36
# What gzip leaves of telemetry: a fifth of many rows a line, a tenth of one.
GZIPPED_SHARE = 0.2

type Resource = Mapping[str, Any]
type Template = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests a month, with how long one takes (the proof's p50 as a rule), its rows, and how many start cold."""

    requests: float
    duration_ms: float
    rows_per_request: float = 1.0
    cold_share: float = 0.01
    init_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class CostLine:
    """One thing that costs, in dollars a month."""

    what: str
    dollars: float


def estimate(template: Template, traffic: Traffic) -> tuple[CostLine, ...]:
    """The lines of a month's bill, dearest first; nothing that costs nothing."""
    resources = list(template["Resources"].values())
    lines = [
        *_functions(template, traffic),
        *_apis(resources, traffic),
        *_logs(resources, traffic),
        *_monitoring(resources, traffic),
        *_fixed(resources),
    ]
    return tuple(sorted((line for line in lines if line.dollars > 0), key=lambda line: -line.dollars))


def total(lines: tuple[CostLine, ...]) -> float:
    """Dollars a month."""
    return sum(line.dollars for line in lines)


def _of(resources: list[Resource], kind: str) -> list[Mapping[str, Any]]:
    return [each.get("Properties", {}) for each in resources if each["Type"] == kind]


def _functions(template: Template, traffic: Traffic) -> Iterator[CostLine]:
    """The function that callers reach: the one with an alias. The hook runs a few seconds a deployment."""
    resources = template["Resources"]
    aliases = _of(list(resources.values()), "AWS::Lambda::Alias")
    names = [alias.get("FunctionName", {}).get("Ref") for alias in aliases]
    serving = [resources[name]["Properties"] for name in names if name in resources]
    provisioned = sum(
        alias.get("ProvisionedConcurrencyConfig", {}).get("ProvisionedConcurrentExecutions", 0) for alias in aliases
    )
    for function in serving:
        gigabytes = function["MemorySize"] / 1024
        architecture = function["Architectures"][0]
        seconds = traffic.requests * (traffic.duration_ms + traffic.cold_share * traffic.init_ms) / 1000
        price = (LAMBDA_PROVISIONED_DURATION if provisioned else LAMBDA_DURATION)[architecture]
        yield CostLine("Lambda requests", traffic.requests * LAMBDA_REQUESTS)
        yield CostLine("Lambda duration", seconds * gigabytes * price)
        yield CostLine(
            "Lambda provisioned concurrency", provisioned * gigabytes * SECONDS * LAMBDA_PROVISIONED[architecture]
        )
        if "SnapStart" in function:
            restores = traffic.requests * traffic.cold_share * gigabytes * SNAPSTART_RESTORE
            yield CostLine("Lambda SnapStart", gigabytes * SECONDS * SNAPSTART_CACHE + restores)
        if "TracingConfig" in function:
            yield CostLine("X-Ray traces", traffic.requests * XRAY_TRACE)


def _apis(resources: list[Resource], traffic: Traffic) -> Iterator[CostLine]:
    yield CostLine("HTTP API requests", len(_of(resources, "AWS::ApiGatewayV2::Api")) * traffic.requests * HTTP_API)
    yield CostLine("REST API requests", len(_of(resources, "AWS::ApiGateway::RestApi")) * traffic.requests * REST_API)
    for acl in _of(resources, "AWS::WAFv2::WebACL"):
        yield CostLine("Web ACL", WEB_ACL + len(acl["Rules"]) * WEB_ACL_RULE + traffic.requests * WEB_ACL_REQUEST)


def _logs(resources: list[Resource], traffic: Traffic) -> Iterator[CostLine]:
    lines = PLATFORM_LOG_BYTES + TELEMETRY_BYTES + traffic.rows_per_request * ROW_BYTES + ACCESS_LOG_BYTES
    gigabytes = traffic.requests * lines / 1e9
    days = max((each.get("RetentionInDays", 0) for each in _of(resources, "AWS::Logs::LogGroup")), default=0)
    stored = gigabytes * days / 30 * LOG_STORED_GB
    yield CostLine("Logs", gigabytes * LOG_INGESTED_GB + stored)


def _monitoring(resources: list[Resource], traffic: Traffic) -> Iterator[CostLine]:
    """Nothing without a delivery stream. At worst each request is a record of its own to Firehose."""
    for stream in _of(resources, "AWS::KinesisFirehose::DeliveryStream"):
        size = TELEMETRY_BYTES + traffic.rows_per_request * ROW_BYTES
        billed = -(-size // FIREHOSE_STEP) * FIREHOSE_STEP
        yield CostLine("Telemetry to S3", traffic.requests * (billed * FIREHOSE_GB + size * FIREHOSE_UNPACKED_GB) / 1e9)
        waits = stream["ExtendedS3DestinationConfiguration"]["BufferingHints"]["IntervalInSeconds"]
        puts = min(traffic.requests, SECONDS / max(waits, 1))
        stored = traffic.requests * size * GZIPPED_SHARE / 1e9 * _kept_days(resources) / 30
        yield CostLine("Telemetry in S3", puts * S3_PUT + stored * S3_STORED_GB)
        seconds = HOURS * MONITOR_RUN_S + traffic.requests * traffic.rows_per_request / MONITOR_ROWS_S
        listed = HOURS * MONITOR_LISTINGS * S3_PUT
        yield CostLine("Monitor runs", seconds * LAMBDA_DURATION["x86_64"] + listed)
        yield CostLine("Monitor metrics", MONITOR_METRICS * CUSTOM_METRIC)


def _kept_days(resources: list[Resource]) -> int:
    rules = [
        rule
        for bucket in _of(resources, "AWS::S3::Bucket")
        for rule in bucket.get("LifecycleConfiguration", {}).get("Rules", ())
    ]
    return max((rule.get("ExpirationInDays", 0) for rule in rules), default=0)


def _fixed(resources: list[Resource]) -> Iterator[CostLine]:
    alarms = sum(_alarm_metrics(each) for each in _of(resources, "AWS::CloudWatch::Alarm"))
    yield CostLine("Alarms", alarms * ALARM_METRIC)
    composites = len(_of(resources, "AWS::CloudWatch::CompositeAlarm"))
    yield CostLine("Alarms over alarms", composites * COMPOSITE_ALARM)
    yield CostLine("Custom metrics", TELEMETRY_METRICS * CUSTOM_METRIC)
    yield CostLine("Dashboards", len(_of(resources, "AWS::CloudWatch::Dashboard")) * DASHBOARD)
    yield CostLine("Encryption key", len(_of(resources, "AWS::KMS::Key")) * KMS_KEY)


def _alarm_metrics(alarm: Mapping[str, Any]) -> int:
    return sum("MetricStat" in each for each in alarm.get("Metrics", ())) or 1
