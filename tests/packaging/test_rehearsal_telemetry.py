"""The emulation's filter patterns and deliveries, by themselves."""

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lightship.rehearsal.emulator.deliveries import UnknownDeliveryError, check, delivered
from lightship.rehearsal.emulator.filter_patterns import UnknownPatternError, matches

NOON = datetime(2026, 11, 23, 12, 30, 5, tzinfo=UTC)
DESTINATION: dict[str, Any] = {
    "BucketARN": "arn:aws:s3:::telemetry",
    "Prefix": "telemetry/!{timestamp:yyyy/MM/dd/HH}/",
    "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/",
    "CompressionFormat": "GZIP",
    "ProcessingConfiguration": {
        "Enabled": True,
        "Processors": [
            {
                "Type": "Decompression",
                "Parameters": [{"ParameterName": "CompressionFormat", "ParameterValue": "GZIP"}],
            },
            {
                "Type": "CloudWatchLogProcessing",
                "Parameters": [{"ParameterName": "DataMessageExtraction", "ParameterValue": "true"}],
            },
            {"Type": "AppendDelimiterToRecord"},
        ],
    },
}


def subscribed(*messages: str, kind: str = "DATA_MESSAGE") -> bytes:
    events = [{"id": str(place), "timestamp": 0, "message": message} for place, message in enumerate(messages)]
    return gzip.compress(json.dumps({"messageType": kind, "logEvents": events}).encode())


@pytest.mark.parametrize(
    ("pattern", "line", "sent"),
    [
        ("", "START RequestId", True),
        ('{ $.a = "*" }', '{"a": 0}', True),
        ('{ $.a = "*" }', '{"b": 0}', False),
        ('{ $.a = "*" }', "START RequestId", False),
        ('{ $.a != "x" }', '{"a": "y"}', True),
        ('{ $.a != "x" }', "{}", False),
        ('{ ($.a.b[1] = "x*") && ($.n >= 2.5) }', '{"a": {"b": ["", "xy"]}, "n": 3}', True),
        ('{ ($.a.b[1] = "x*") && ($.n >= 2.5) }', '{"a": {"b": ["", "xy"]}, "n": 2}', False),
        ('{ $.a = "x" || $.b = "y" }', '{"b": "y"}', True),
        ('{ $.a = "[x]?" }', '{"a": "[x]?"}', True),
        ('{ $.a = "[x]?" }', '{"a": "x!"}', False),
    ],
)
def test_a_subscription_is_sent_the_lines_of_its_pattern(pattern: str, line: str, sent: bool) -> None:
    assert matches(pattern, line) is sent


@pytest.mark.parametrize("pattern", ["ERROR", "[ip, user]", "{ $.a IS TRUE }", "{ ($.a = 1 }", "{ $.a > x }", "{ }"])
def test_a_pattern_that_is_not_understood_is_an_error(pattern: str) -> None:
    with pytest.raises(UnknownPatternError):
        matches(pattern, "{}")


def test_lines_arrive_gzipped_by_the_hour_and_broken_records_apart() -> None:
    records = [subscribed("a\n", "b\n"), b"broken", subscribed("test", kind="CONTROL_MESSAGE"), subscribed("c\n")]
    check(DESTINATION)
    good, failed = delivered("stream", DESTINATION, records, NOON)
    assert good.key.startswith("telemetry/2026/11/23/12/stream-1-2026-11-23-12-30-05-")
    assert good.key.endswith(".gz")
    assert gzip.decompress(good.body).decode().split() == ["a", "b", "c"]
    assert failed.key.startswith("errors/decompression-failed/2026/11/23/stream-1-")
    assert json.loads(failed.body)["rawData"] == "YnJva2Vu"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"Prefix": "x/!{partitionKeyFromQuery:id}/"}, "partitionKeyFromQuery"),
        ({"Prefix": "x/!{timestamp:mm}/"}, "timestamp:mm"),
        ({"CompressionFormat": "Snappy"}, "Snappy"),
        ({"ProcessingConfiguration": {"Enabled": True, "Processors": [{"Type": "Lambda"}]}}, "Lambda"),
        ({"DynamicPartitioningConfiguration": {"Enabled": True}}, "DynamicPartitioning"),
    ],
)
def test_what_the_delivery_does_not_know_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(UnknownDeliveryError, match=told):
        check({**DESTINATION, **change})
