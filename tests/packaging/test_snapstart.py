"""What SnapStart would freeze: functions that begin as copies of one initialised process don't repeat one another."""

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from lightship.lambda_host.interpreter import python_for
from lightship_runtime.identifiers import id_time_ms
from lightship_runtime.manifest import Release

# The real zip is loaded and has answered once; then two copies of the process answer the same request.
COPIES = """
import importlib, json, os, sys, time
root, handler, event = sys.argv[1:]
sys.path.insert(0, root)
module, _, name = handler.rpartition(".")
handler = getattr(importlib.import_module(module), name)
said, sys.stdout = sys.stdout, open(os.devnull, "w")
answers = [json.loads(handler(json.loads(event), None)["body"])]
time.sleep(0.05)
restored_ms = time.time_ns() // 1_000_000
for _ in range(2):
    ours, theirs = os.pipe()
    if not os.fork():
        os.write(theirs, handler(json.loads(event), None)["body"].encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as stream:
        answers.append(json.loads(stream.read()))
    os.wait()
print(json.dumps({"restored_ms": restored_ms, "answers": answers}), file=said)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the zip holds Linux's libraries")
@pytest.mark.slow
def test_copies_of_one_snapshot_issue_ids_of_their_own_and_know_the_time(signs: Any, tmp_path: Any) -> None:
    artifact = Release.read(signs.release).artifacts["realtime"]
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(signs.release / artifact.file), tmp_path], check=True)
    body = json.dumps({"instances": [{"a": 0.5, "b": -0.25}, {"a": -1.0, "b": 0.0}]})
    event = {
        "version": "2.0",
        "rawPath": "/predict",
        "headers": {"content-type": "application/json"},
        "requestContext": {"stage": "$default", "http": {"method": "POST", "path": "/predict"}},
        "body": body,
        "isBase64Encoded": False,
    }
    python = str(python_for("3.13"))
    command = [python, "-I", "-S", "-c", COPIES, str(tmp_path), artifact.handler, json.dumps(event)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    before, *copies = told["answers"]
    # 12 digits are the time's and 6 the row's: the 14 between them have to differ even within a millisecond.
    drawn = {identifier[12:26] for answer in told["answers"] for identifier in answer["ids"]}
    assert len(drawn) == 3
    for copy in copies:
        assert copy["predictions"] == before["predictions"]
        assert told["restored_ms"] <= id_time_ms(copy["ids"][0]) <= time.time_ns() // 1_000_000
