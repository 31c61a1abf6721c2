"""Compiles what ships to bytecode, with the target's own Python.

/var/task is read-only and `uv pip install --target` writes no bytecode, so a package without it is compiled again at
every cold start. Time-stamped bytecode doesn't survive a zip of fixed dates: the files carry the hash of their source
and are never checked against it.
"""

import subprocess
from collections.abc import Collection
from pathlib import Path

from lightship_runtime.errors import LightshipError

# Modules that read their own source when they run.
KEEP_SOURCE = ("anyio/_core/_eventloop.py", "anyio/_core/_sockets.py")
# Packages that take their own docstrings apart when they are imported.
KEEP_DOCSTRINGS = ("lightgbm",)


class BytecodeError(LightshipError):
    """A module doesn't compile for the target's Python."""


def compile_tree(root: Path, python: Path, keep: Collection[str] = ()) -> None:
    """Replace each module under `root` by its bytecode beside it, without assertions, and without docstrings but for
    KEEP_DOCSTRINGS. The sources of KEEP_SOURCE and `keep` stay beside it, and come first when they are imported.

    Raises BytecodeError, naming the module.
    """
    done = subprocess.run(
        [python, "-I", "-S", "-c", _PROGRAM, str(root), *KEEP_DOCSTRINGS], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BytecodeError(
            f"A module doesn't compile for {python}: {done.stderr.strip()[-500:]} "
            "Package for the Python version that the code was written for."
        )
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).as_posix() not in (*KEEP_SOURCE, *keep):
            path.unlink()


# Each file is compiled in a process of its own, forked before anything was compiled: bytecode otherwise depends on
# what the process compiled before (https://github.com/python/cpython/issues/129724).
_PROGRAM = """
import os, py_compile, sys
from pathlib import Path

root = Path(sys.argv[1])
documented = sys.argv[2:]
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
running = {}

def reap():
    pid, status = os.wait()
    path = running.pop(pid)
    if status:
        sys.exit(f"{path} doesn't compile")

for path in sorted(root.rglob("*.py")):
    if len(running) >= (os.cpu_count() or 1):
        reap()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            name = path.relative_to(root).as_posix()
            level = 1 if name.split("/")[0] in documented else 2
            py_compile.compile(str(path), str(path) + "c", name, True, level, invalidation_mode=mode)
            status = 0
        except BaseException as error:
            sys.stderr.write(f"{error}\\n")
        finally:
            os._exit(status)
    running[pid] = path
while running:
    reap()
"""
