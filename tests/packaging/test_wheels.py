"""The wheels of a target, as uv resolves them."""

import os
from pathlib import Path

import pytest

from lightship.wheels import resolve
from lightship_runtime.manifest import Target


def test_no_python_is_looked_for_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version managers put slow or broken ones there, and uv would ask each."""
    (tmp_path / "asked").mkdir()
    for name in ("python", "python3", "python3.12", "python3.13"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked/{name}\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.chdir(tmp_path)
    for python in ("3.12", "3.13"):
        assert "mangum==" in resolve(["mangum"], Target(python, "x86_64", "2_34"))
    assert list((tmp_path / "asked").iterdir()) == []
