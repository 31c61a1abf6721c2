"""Run one of our functions in a child process that holds no credentials.

Files that nobody vouches for are parsed there: their worst then happens to a process that has no AWS keys or tokens
in its environment, an empty home, a time limit, and dies with its parent. It is the same user on the same machine,
though, not a sandbox: what was trusted by name can still read files that this user can read.

This module imports the standard library alone, and starting a child costs the parent nothing else.
"""

import contextlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import lightship_runtime
from lightship_runtime.errors import LightshipError

type Json = Any

KEPT_VARIABLES: Final = frozenset(
    {
        "PATH",
        "LANG",
        "LANGUAGE",
        "TZ",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
    }
    | {"SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS"}
)
"""What the child keeps of the environment, besides LC_*. Everything else may be a secret."""

_MIN_ADDRESS_SPACE: Final = 16_000_000_000
_BOOT: Final = (
    "import sys; sys.path.extend({paths!r}); from lightship.isolation import child_main; child_main({folder!r})"
)


class IsolatedRunError(LightshipError):
    """The child process crashed, ran out of time or memory, or met an error that isn't the user's."""


def run_isolated(
    function: str, arguments: Mapping[str, Json], *, timeout_s: float, python_path: Sequence[Path] = ()
) -> Json:
    """Call `function` ("lightship.module:name") with `arguments` as keywords in a child, and return its result.

    Arguments and result are JSON; files are handed over as paths (absolute ones: the child has a folder of its own).
    `python_path` is where the child also looks for modules. What the child prints goes to stderr.
    A LightshipError raised there is raised here, as a LightshipError with the same message. Raises IsolatedRunError
    when the child takes longer than `timeout_s` seconds, dies, or fails in another way. Ctrl-C ends the child too.
    """
    with tempfile.TemporaryDirectory(prefix="lightship-", ignore_cleanup_errors=True) as folder:
        _write(Path(folder) / "request.json", {"function": function, "arguments": dict(arguments)})
        code = _run_child(folder, timeout_s, function, python_path)
        try:
            answer = json.loads((Path(folder) / "answer.json").read_bytes())
        except (OSError, ValueError) as error:
            raise IsolatedRunError(_how_it_died(function, code)) from error
    if "result" in answer:
        return answer["result"]
    if "error" in answer:
        raise LightshipError(answer["error"])
    raise IsolatedRunError(
        f"{function} failed in its own process, which is a defect of Lightship or of a library it called; "
        f"please report it:\n{answer.get('failure')}"
    )


def scrubbed_environment(environment: Mapping[str, str], folder: str) -> dict[str, str]:
    """The child's environment: what is listed of `environment`, and `folder` for a home."""
    kept = {name: value for name, value in environment.items() if name in KEPT_VARIABLES or name.startswith("LC_")}
    homes = dict.fromkeys(
        ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), folder
    )
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), folder)
    return {**kept, **homes, **temporary, "AWS_EC2_METADATA_DISABLED": "true"}


def _run_child(folder: str, timeout_s: float, function: str, python_path: Sequence[Path]) -> int:
    # -I leaves the user's own site-packages out, which may be where everything is installed.
    installed = [Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    roots = [Path(__file__).parents[1], Path(lightship_runtime.__file__).parents[1], *installed, *python_path]
    boot = _BOOT.format(paths=[str(root.resolve()) for root in roots], folder=folder)
    child = subprocess.Popen(
        # -I: neither the environment nor the current folder decides what is imported; stdin ends when the parent does.
        [sys.executable, "-I", "-X", "utf8", "-c", boot],
        stdin=subprocess.PIPE,
        stdout=sys.__stderr__ if _has_descriptor(sys.__stderr__) else subprocess.DEVNULL,
        cwd=folder,
        env=scrubbed_environment(os.environ, folder),
        start_new_session=True,
    )
    try:
        return child.wait(timeout_s)
    except subprocess.TimeoutExpired as error:
        raise IsolatedRunError(
            f"{function} took longer than {timeout_s:g} seconds in its own process and was ended. "
            "Try a smaller model or sample, or check where the file comes from."
        ) from error
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()
    if child.stdin is not None:
        child.stdin.close()


def _how_it_died(function: str, code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return (
            f"The process of {function} was ended by {name}. Most often the file is damaged, or written by another "
            "version of its library, or this machine ran out of memory. Save the model again with the versions "
            "installed here."
        )
    return f"The process of {function} ended with code {code} and no answer. Save the model again, or report this."


def _has_descriptor(stream: Any) -> bool:
    try:
        return stream is not None and stream.fileno() >= 0
    except (OSError, ValueError, AttributeError):
        return False


def _write(path: Path, document: Json) -> None:
    path.write_text(json.dumps(document), encoding="utf-8")


def child_main(folder: str) -> None:
    """The child's side: run what request.json asks for and leave answer.json."""
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    _limit_resources()
    request = json.loads((Path(folder) / "request.json").read_bytes())
    answer = _answer(request["function"], request["arguments"])
    partial = Path(folder) / "answer.partial"
    try:
        _write(partial, answer)
    except (TypeError, ValueError) as error:
        _write(partial, {"failure": f"The result of {request['function']} is not JSON: {error}"})
    partial.replace(Path(folder) / "answer.json")
    sys.stdout.flush()
    # Not through the interpreter's end: threads and finalisers of libraries have no say in a finished run.
    os._exit(0)


def _answer(function: str, arguments: Mapping[str, Json]) -> Json:
    try:
        module, _, name = function.partition(":")
        return {"result": getattr(importlib.import_module(module), name)(**arguments)}
    except LightshipError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": f"{function} ran out of memory. Fit a smaller model, or use a machine with more."}
    except BaseException:  # noqa: BLE001 - the parent reports whatever it was
        return {"failure": traceback.format_exc()}


def _end_with_parent(folder: str) -> None:
    """Block until stdin closes, which is when the parent is gone, killed included; then leave nothing running."""
    with contextlib.suppress(OSError, ValueError):
        while os.read(0, 4096):
            pass
    shutil.rmtree(folder, ignore_errors=True)
    if hasattr(os, "killpg"):
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def _limit_resources() -> None:
    """No core dumps (they hold the data), and, where the system enforces it, no more memory than the machine has."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        # Libraries reserve far more address space than they touch, so the floor is generous.
        wanted = max(physical, _MIN_ADDRESS_SPACE)
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
