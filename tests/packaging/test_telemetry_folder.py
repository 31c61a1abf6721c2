"""Telemetry that is kept on this machine has the store's layout, and only telemetry is kept."""

import json
import time
from pathlib import Path

import pytest

from lightship.gateway import HttpRequest, HttpResponse
from lightship.telemetry_folder import TelemetryFolder, TelemetryFolderError
from lightship_runtime.identifiers import prediction_ids
from lightship_runtime.monitor.records import decode_line
from lightship_runtime.telemetry import MAX_LINE, Source, request_lines

RECORDS = [json.dumps({"i": f"{place:032x}", "p": 1, "c": "0"}) for place in range(5_000)]


def test_telemetry_is_kept_by_the_hour_and_the_rest_is_handed_on(tmp_path: Path) -> None:
    others: list[str] = []
    now = [1_714_564_799.0]
    folder = TelemetryFolder(tmp_path / "store", others.append, clock=lambda: now[0])
    lines = request_lines(
        Source("m", "local", "v1"), now_ms=1, status=200, latency_ms=2, predictions=2, records=RECORDS
    )
    assert len(lines) > 1
    for line in [*lines, "a print of the model's", '{"_aws": 1}']:
        folder.log(line)
    now[0] += 1
    folder.log(lines[0])
    files = {
        path.relative_to(tmp_path / "store").as_posix(): path.read_text().splitlines()
        for path in (tmp_path / "store").rglob("*.jsonl")
    }
    assert files == {
        "telemetry/2024/05/01/11/serve.jsonl": lines,
        "telemetry/2024/05/01/12/serve.jsonl": lines[:1],
    }
    assert others == ["a print of the model's", '{"_aws": 1}']
    assert all(len(line) < MAX_LINE and decode_line(line, 1) for line in lines)


def test_a_place_that_is_no_folder_is_refused_and_a_lost_line_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TelemetryFolderError, match="can't be kept in"):
        TelemetryFolder(tmp_path / "file")
    others: list[str] = []
    folder = TelemetryFolder(tmp_path / "store", others.append)
    (tmp_path / "store" / "telemetry").rmdir()
    (tmp_path / "store" / "telemetry").write_text("")
    (line,) = request_lines(Source("m", "local", "v1"), now_ms=1, status=200, latency_ms=2)
    folder.log(line)
    assert others[1] == line
    assert "wasn't kept" in others[0]


def test_labels_are_taken_as_the_deployed_function_takes_them(tmp_path: Path) -> None:
    folder = TelemetryFolder(tmp_path)
    (known,) = prediction_ids(1, time.time_ns() // 1_000_000)

    def send(document: object) -> HttpResponse:
        headers = (("content-type", "application/json"),)
        return folder.feedback(HttpRequest("POST", "/feedback", headers=headers, body=json.dumps(document).encode()))

    taken = send({"labels": [{"id": known, "actual": "late"}]})
    assert (taken.status, json.loads(taken.body)) == (200, {"accepted": 1, "refused": 0})
    (kept,) = (tmp_path / "labels").rglob("*.jsonl")
    assert json.loads(kept.read_text())["id"] == known
    refused = send({"labels": "all of them"})
    assert (refused.status, refused.header("content-type")) == (422, "application/problem+json")
