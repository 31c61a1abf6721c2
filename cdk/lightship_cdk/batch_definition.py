"""The state machine of scheduled scoring, in Amazon States Language.

States carry names, never lists: what a map works through lies in S3, and so do its results. Nothing is caught, so that
a failed execution can be redriven from the state that failed.
https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from typing import Any

from lightship_cdk.batch_settings import BatchSettings, place_of

LAMBDA = "arn:aws:states:::lambda:invoke"
BOOKS = "_lightship/"
MAP_RESULTS = f"{BOOKS}map"
_ITEM = "$$.Map.Item.Value"

# What another attempt can't mend: the input, the settings or the counts are at fault.
_FINAL = ["InputChangedError", "NotCommittedError", "UnreadableError", "BatchError", "UnknownSchemaError"]
_RETRY = [
    {"ErrorEquals": _FINAL, "MaxAttempts": 0},
    {
        "ErrorEquals": [
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.TooManyRequestsException",
            "Lambda.ClientExecutionTimeoutException",
        ],
        "IntervalSeconds": 2,
        "BackoffRate": 2.0,
        "MaxAttempts": 8,
        "MaxDelaySeconds": 120,
        "JitterStrategy": "FULL",
    },
    {
        "ErrorEquals": ["States.ALL"],
        "IntervalSeconds": 5,
        "BackoffRate": 2.0,
        "MaxAttempts": 3,
        "MaxDelaySeconds": 60,
        "JitterStrategy": "FULL",
    },
]


def definition(function_arn: str, settings: BatchSettings) -> dict[str, Any]:
    """Begin, scan the ranges of large objects, cut, score, commit. The input is `{"time": "2026-11-23T03:00:00Z"}`."""
    shared = {"source": settings.input, "sink": settings.output, "settings": settings.runtime()}
    run = {"run.$": "$.begun.run"}
    begun = ("run", "done", "scans", "bucket", "key")
    return {
        "Comment": "Lightship: scores what is new below the input prefix",
        "StartAt": "Begin",
        "TimeoutSeconds": settings.run_timeout_h * 3600,
        "States": {
            "Begin": {
                **_task(function_arn, {"step": "begin", "time.$": "$.time", "format": settings.input_format, **shared}),
                "ResultSelector": {f"{name}.$": f"$.Payload.{name}" for name in begun},
                "ResultPath": "$.begun",
                "Next": "WhatIsThereToDo",
            },
            "WhatIsThereToDo": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.begun.done", "BooleanEquals": True, "Next": "DoneBefore"},
                    {"Variable": "$.begun.scans", "NumericGreaterThan": 0, "Next": "ScanRanges"},
                ],
                "Default": "Cut",
            },
            "DoneBefore": {"Type": "Succeed"},
            "ScanRanges": {
                **_map(function_arn, settings, "$.begun", {"step": "scan", "piece.$": _ITEM, **run, **shared}),
                "Next": "Cut",
            },
            "Cut": {
                **_task(function_arn, {"step": "cut", **run, **shared}),
                "ResultSelector": {f"{name}.$": f"$.Payload.{name}" for name in ("items", "bucket", "key")},
                "ResultPath": "$.plan",
                "Next": "ScoreItems",
            },
            "ScoreItems": {
                **_map(function_arn, settings, "$.plan", {"step": "score", "work.$": _ITEM, **shared}),
                "Next": "Commit",
            },
            "Commit": {
                **_task(function_arn, {"step": "commit", **run, **shared}),
                "OutputPath": "$.Payload",
                "End": True,
            },
        },
    }  # fmt: skip


def _task(function_arn: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": LAMBDA,
        "Parameters": {"FunctionName": function_arn, "Payload": payload},
        "Retry": _RETRY,
    }


def _map(function_arn: str, settings: BatchSettings, at: str, payload: dict[str, Any]) -> dict[str, Any]:
    """A distributed map over the JSON list in S3 that `at` names, one call of the function an item."""
    bucket, prefix = place_of(settings.output)
    call: dict[str, Any] = {
        "Type": "Task",
        "Resource": LAMBDA,
        "Parameters": {"FunctionName": function_arn, "Payload.$": "$"},
        "ResultSelector": {"item.$": "$.Payload"},
        "Retry": _RETRY,
        "End": True,
    }
    mapped: dict[str, Any] = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket.$": f"{at}.bucket", "Key.$": f"{at}.key"},
        },
        "ItemSelector": payload,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Call",
            "States": {"Call": call},
        },
        "MaxConcurrency": settings.concurrency,
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": bucket, "Prefix": f"{prefix}{MAP_RESULTS}"},
        },
        "ResultPath": None,
    }
    if settings.tolerated_failure_percent:
        mapped["ToleratedFailurePercentage"] = settings.tolerated_failure_percent
    return mapped
