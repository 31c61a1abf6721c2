"""Symbols that the loader never reads are left out of machine code, and it loads as before."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sklearn

from lightship.elf import read_elf
from lightship.stripping import strip_symbols

(EXTENSION,) = Path(str(sklearn.__file__)).parent.glob("__check_build/_check_build*.so")
LOAD = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("_check_build", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.check_build()
"""


def test_a_stripped_extension_is_smaller_and_loads_as_before(tmp_path: Path) -> None:
    linked = tmp_path / "cache.so"
    linked.write_bytes(EXTENSION.read_bytes())
    linked.chmod(0o755)
    copy = tmp_path / EXTENSION.name
    os.link(linked, copy)
    before = read_elf(copy)
    saved = strip_symbols(copy)
    assert saved > 0
    assert copy.stat().st_size == EXTENSION.stat().st_size - saved
    assert copy.stat().st_mode == linked.stat().st_mode
    assert linked.read_bytes() == EXTENSION.read_bytes()
    assert read_elf(copy) == before
    subprocess.run([sys.executable, "-c", LOAD, copy], check=True)
    assert strip_symbols(copy) == 0


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x7fELF", b"\x7fELF\x02\x01" + bytes(58), EXTENSION.read_bytes()[:3000]]
)
def test_what_is_no_whole_elf_file_is_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.so"
    file.write_bytes(content)
    assert strip_symbols(file) == 0
    assert file.read_bytes() == content
