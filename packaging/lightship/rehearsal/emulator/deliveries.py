"""What a delivery stream does with records on their way to S3: its processors, its prefixes, its compression.

Nothing is buffered: each call's records are an object of their own. A processor that isn't known fails the stream's
creation. https://docs.aws.amazon.com/firehose/latest/dev/writing-with-cloudwatch-logs-decompression.html and
https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
"""

import base64
import gzip
import json
import re
import uuid
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lightship_runtime.errors import LightshipError

type Settings = Mapping[str, Any]

EXPRESSION = re.compile(r"!\{(?P<namespace>[A-Za-z]+):(?P<value>[^}]*)\}")
DATE = re.compile(r"yyyy|MM|dd|HH")
DATE_FORMAT = re.compile(r"(?:yyyy|MM|dd|HH|[/_-])+")
DATES = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H"}
DEFAULT_PREFIX = "!{timestamp:yyyy/MM/dd/HH}/"
COMPRESSIONS: Mapping[str, tuple[Callable[[bytes], bytes], str]] = {
    "UNCOMPRESSED": (lambda data: data, ""),
    "GZIP": (gzip.compress, ".gz"),
}


class UnknownDeliveryError(LightshipError):
    """A setting of a delivery stream that the emulation has no place for."""


class ProcessingError(Exception):
    """A record that a processor can't handle."""


@dataclass(frozen=True, slots=True)
class Object:
    """What is to be put into the stream's bucket."""

    key: str
    body: bytes


def check(destination: Settings) -> None:
    """Raises UnknownDeliveryError for what `delivered` wouldn't do as Firehose does."""
    for kind, parameters in _processors(destination):
        known = KNOWN.get(kind)
        if known is None or (unknown := parameters.items() - known.items()):
            told = kind if known is None else f"{kind} with {dict(unknown)}"
            raise UnknownDeliveryError(f"The emulated Firehose doesn't know the processor {told}.")
    if destination.get("CompressionFormat", "UNCOMPRESSED") not in COMPRESSIONS:
        raise UnknownDeliveryError(f"The emulated Firehose doesn't write {destination['CompressionFormat']}.")
    for name, error in (("Prefix", ""), ("ErrorOutputPrefix", "none")):
        _resolve(destination.get(name, ""), datetime.now(UTC), error)
    for name in ("DynamicPartitioningConfiguration", "DataFormatConversionConfiguration", "S3BackupConfiguration"):
        if destination.get(name, {}).get("Enabled", name in destination):
            raise UnknownDeliveryError(f"The emulated Firehose doesn't know {name}.")


def delivered(stream: str, destination: Settings, records: Iterable[bytes], arrived: datetime) -> list[Object]:
    """The objects that come of records which arrived together: one with what was processed, one with what failed."""
    data, failed = bytearray(), bytearray()
    for record in records:
        try:
            data += _process(destination, record)
        except ProcessingError as error:
            told = {
                "errorCode": "Decompression.Failed",
                "errorMessage": str(error),
                "rawData": base64.b64encode(record).decode(),
            }
            failed += json.dumps(told).encode() + b"\n"
    name = f"{stream}-1-{arrived:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}"
    made = []
    if data:
        compress, suffix = COMPRESSIONS[destination.get("CompressionFormat", "UNCOMPRESSED")]
        prefix = _resolve(destination.get("Prefix", "") or DEFAULT_PREFIX, arrived)
        made.append(Object(f"{prefix}{name}{suffix}", compress(bytes(data))))
    if failed:
        prefix = _resolve(destination.get("ErrorOutputPrefix", ""), arrived, "decompression-failed")
        made.append(Object(f"{prefix}{name}", bytes(failed)))
    return made


def _process(destination: Settings, record: bytes) -> bytes:
    for kind, _ in _processors(destination):
        record = PROCESSORS[kind](record)
    return record


def _processors(destination: Settings) -> list[tuple[str, dict[str, str]]]:
    configuration = destination.get("ProcessingConfiguration", {})
    if not configuration.get("Enabled"):
        return []
    return [
        (each["Type"], {item["ParameterName"]: item["ParameterValue"] for item in each.get("Parameters", ())})
        for each in configuration["Processors"]
    ]


def _decompress(record: bytes) -> bytes:
    try:
        return gzip.decompress(record)
    except (OSError, EOFError, zlib.error) as error:
        raise ProcessingError(f"The record isn't gzip: {error}") from error


def _extract_messages(record: bytes) -> bytes:
    """The messages of a delivery of CloudWatch Logs, one behind the other; nothing of a control message."""
    try:
        document = json.loads(record)
        if document["messageType"] != "DATA_MESSAGE":
            return b""
        return "".join(event["message"] for event in document["logEvents"]).encode()
    except (ValueError, KeyError, TypeError) as error:
        raise ProcessingError(f"The record isn't of CloudWatch Logs: {error}") from error


def _append_newline(record: bytes) -> bytes:
    return record + b"\n" if record else record


PROCESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    "Decompression": _decompress,
    "CloudWatchLogProcessing": _extract_messages,
    "AppendDelimiterToRecord": _append_newline,
}
KNOWN: Mapping[str, Mapping[str, str]] = {
    "Decompression": {"CompressionFormat": "GZIP"},
    "CloudWatchLogProcessing": {"DataMessageExtraction": "true"},
    "AppendDelimiterToRecord": {"Delimiter": "\\n"},
}


def _resolve(prefix: str, at: datetime, error: str = "") -> str:
    """The prefix with its expressions evaluated, dates in UTC."""

    def value(found: re.Match[str]) -> str:
        match found["namespace"]:
            case "timestamp" if DATE_FORMAT.fullmatch(found["value"]):
                return f"{at:{DATE.sub(lambda part: DATES[part[0]], found['value'])}}"
            case "firehose" if found["value"] == "error-output-type" and error:
                return error
        raise UnknownDeliveryError(f"The emulated Firehose doesn't know {found[0]} in a prefix.")

    return EXPRESSION.sub(value, prefix)
