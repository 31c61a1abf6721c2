"""The estimate of a month's bill, against sums done by hand from the price lists."""

from typing import Any

import pytest

from lightship.costs import (
    GZIPPED_SHARE,
    MONITOR_METRICS,
    ROW_BYTES,
    TELEMETRY_BYTES,
    CostLine,
    Traffic,
    estimate,
    total,
)

QUIET = Traffic(requests=0, duration_ms=10)
BUSY = Traffic(requests=10_000_000, duration_ms=20, init_ms=400)


def template(
    *resources: dict[str, Any], memory: int = 1024, architecture: str = "x86_64", aliased: Any = None, **function: Any
) -> Any:
    serving = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "MemorySize": memory,
            "Architectures": [architecture],
            "Environment": {"Variables": {"LIGHTSHIP_STAGE": "live"}},
            **function,
        },
    }
    alias = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "R0"}, **(aliased or {})}}
    return {"Resources": {f"R{i}": each for i, each in enumerate((serving, alias, *resources))}}


def dollars(lines: tuple[CostLine, ...], what: str) -> float:
    (found,) = [line.dollars for line in lines if line.what == what]
    return found


def test_duration_is_memory_times_time_times_price() -> None:
    lines = estimate(template(), BUSY)
    seconds = 10_000_000 * (0.020 + 0.01 * 0.400)
    assert dollars(lines, "Lambda duration") == pytest.approx(seconds * 0.0000166667)
    assert dollars(lines, "Lambda requests") == pytest.approx(2.0)
    half = estimate(template(memory=512, architecture="arm64"), BUSY)
    assert dollars(half, "Lambda duration") == pytest.approx(seconds * 0.5 * 0.0000133334)


def test_an_idle_service_costs_what_stands_still() -> None:
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Throttles"}}
    rate = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {"Metrics": [{"Expression": "a/b"}, {"MetricStat": {}}, {"MetricStat": {}}]},
    }
    over = {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": {}}
    lines = estimate(template(alarm, rate, over, {"Type": "AWS::KMS::Key"}), QUIET)
    assert {line.what: line.dollars for line in lines} == pytest.approx(
        {"Custom metrics": 1.8, "Encryption key": 1.0, "Alarms over alarms": 0.5, "Alarms": 0.3}
    )


def test_apis_differ_in_price() -> None:
    http = estimate(template({"Type": "AWS::ApiGatewayV2::Api"}), BUSY)
    rest = estimate(template({"Type": "AWS::ApiGateway::RestApi"}), BUSY)
    assert dollars(http, "HTTP API requests") == pytest.approx(10.0)
    assert dollars(rest, "REST API requests") == pytest.approx(35.0)


def test_provisioned_concurrency_is_paid_by_the_hour() -> None:
    provisioned = {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 2}}
    lines = estimate(template(aliased=provisioned), QUIET)
    assert dollars(lines, "Lambda provisioned concurrency") == pytest.approx(2 * 730 * 3600 * 0.0000041667)


def test_the_dearest_comes_first_and_the_sum_is_the_sum() -> None:
    lines = estimate(template({"Type": "AWS::ApiGateway::RestApi"}), BUSY)
    assert list(lines) == sorted(lines, key=lambda line: -line.dollars)
    assert total(lines) == pytest.approx(sum(line.dollars for line in lines))
    assert all(line.dollars > 0 for line in lines)


def test_monitoring_costs_its_metrics_and_a_little_by_the_request() -> None:
    stream = {
        "Type": "AWS::KinesisFirehose::DeliveryStream",
        "Properties": {"ExtendedS3DestinationConfiguration": {"BufferingHints": {"IntervalInSeconds": 300}}},
    }
    rules = [{"Prefix": "telemetry/", "ExpirationInDays": 90}]
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"LifecycleConfiguration": {"Rules": rules}}}
    lines = estimate(template(stream, bucket), BUSY)
    size = TELEMETRY_BYTES + ROW_BYTES
    assert dollars(lines, "Telemetry to S3") == pytest.approx(10_000_000 * (5_120 * 0.029 + size * 0.00325) / 1e9)
    stored = 10_000_000 * size * GZIPPED_SHARE / 1e9 * 3
    assert dollars(lines, "Telemetry in S3") == pytest.approx(730 * 12 * 0.005 / 1000 + stored * 0.023)
    assert dollars(lines, "Monitor metrics") == pytest.approx(MONITOR_METRICS * 0.30)
    assert 0.1 < dollars(lines, "Monitor runs") < 0.25
    quiet = estimate(template(stream, bucket), QUIET)
    assert not any(line.what.startswith("Telemetry") for line in quiet)


def test_the_hook_isnt_billed_for_the_traffic() -> None:
    hook = {"Type": "AWS::Lambda::Function", "Properties": {"MemorySize": 512, "Architectures": ["arm64"]}}
    assert estimate(template(hook), BUSY) == estimate(template(), BUSY)
