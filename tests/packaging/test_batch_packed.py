"""Batch libraries that are over Lambda's limit: packed in the zip, and unpacked when the function starts."""

import sys
import zipfile
from pathlib import Path

import pytest

from lightship.lockfile import Lock
from lightship_runtime.batch import packed
from lightship_runtime.manifest import Engines


def test_packed_libraries_are_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, scratch = tmp_path / "task", tmp_path / "scratch"
    root.mkdir()
    scratch.mkdir()
    with zipfile.ZipFile(root / "packed-0123456789abcdef.zip", "w") as out:
        out.writestr("packed_library/__init__.py", "ANSWER = 42\n")
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.setattr(sys, "path", list(sys.path))
    place = packed.unpack(root)
    assert sys.path[0] == str(place)
    assert (place / "packed_library/__init__.py").read_text() == "ANSWER = 42\n"
    assert packed.unpack(root) == place
    assert list(scratch.iterdir()) == [place]
    # What somebody else may have put there isn't trusted.
    place.chmod(0o777)
    own = packed.unpack(root)
    assert own != place
    assert (own / "packed_library/__init__.py").exists()


def test_the_lock_keeps_the_wheels_of_every_zip(tmp_path: Path) -> None:
    path = tmp_path / "lightship.lock"
    wheels = {
        "realtime": "numpy==2.5.5 \\\n    --hash=sha256:00\n",
        "batch": "pyarrow==26.0.1 \\\n    --hash=sha256:11\n",
    }
    lock = Lock("m", "v", "d", Engines("pure", "array"), wheels)
    lock.write(path)
    assert Lock.read(path) == lock
    # A lock of one list holds those of realtime.zip.
    path.write_text(path.read_text().replace('"requirements": {', '"requirements": ["numpy==2.5.5"], "was": {'))
    older = Lock.read(path)
    assert older is not None
    assert older.requirements == {"realtime": "numpy==2.5.5\n"}
