"""The release's real function with a fault in it: what an incident says goes wrong, and nothing else.

A module beside the release's own wraps its handler. An event may carry `drill`: what the wrapper is to do before it
hands the event on, and the time the function is to believe it is.
"""

from dataclasses import replace
from pathlib import Path

from lightship.lambda_host import Function
from lightship_runtime.manifest import Release

MODULE = "lightship_drill_faults"
KEY = "drill"

SOURCE = """\
import os
import time
from importlib import import_module

_module, _, _name = {handler!r}.rpartition(".")
_handler = getattr(import_module(_module), _name)
_shift_ns = 0
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + _shift_ns / 1e9
time.time_ns = lambda: _time_ns() + _shift_ns


class _Failing:
    def __init__(self, engine, seconds, raises):
        self._engine, self._seconds, self._raises = engine, seconds, raises

    def predict(self, columns):
        time.sleep(self._seconds)
        if self._raises:
            raise RuntimeError("The drill has the model fail.")
        return self._engine.predict(columns)


def handler(event, context):
    global _shift_ns
    drill = event.pop("drill", None) or {{}}
    _shift_ns = drill["at_ms"] * 1_000_000 - _time_ns() if "at_ms" in drill else 0
    if drill.get("dies"):
        os._exit(1)
    if drill.get("hangs"):
        time.sleep(3600)
    predictor = import_module("lightship_runtime.realtime").predictor
    engine = predictor._engine
    predictor._engine = _Failing(engine, drill.get("seconds", 0), drill.get("raises", False))
    try:
        return _handler(event, context)
    finally:
        predictor._engine = engine
"""


def with_faults(function: Function, release: Release) -> Function:
    """The same function behind the wrapper, which is added to its unpacked folder. `release` knows its handler."""
    root = Path(function.root)
    mode = root.stat().st_mode
    root.chmod(mode | 0o200)
    try:
        (root / f"{MODULE}.py").write_text(SOURCE.format(handler=release.artifacts["realtime"].handler))
    finally:
        root.chmod(mode)
    return replace(function, handler=f"{MODULE}.handler")
