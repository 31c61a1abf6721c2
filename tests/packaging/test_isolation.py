"""The child process: no credentials, a time limit, errors that come back, and an end with its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightship.isolation import IsolatedRunError, run_isolated, scrubbed_environment
from lightship_runtime.errors import LightshipError

MODULE = """
import os, sys, time, ctypes, resource
from lightship_runtime.errors import LightshipError, InvalidDocumentError

def double(number): return {"twice": number * 2}
def environment(): return dict(os.environ)
def refuse(what): raise InvalidDocumentError(f"{what} is wrong. Do better.")
def broken(): return 1 / 0
def strange(): return {1, 2}
def crash(): os.kill(os.getpid(), 11)
def leave(): os._exit(3)
def memory(): return len(bytearray(1 << 60))
def limits(): return [resource.getrlimit(resource.RLIMIT_CORE)[0], os.getsid(0) == os.getpid(), os.getcwd(), sys.path]
def chatty(): print("said on stdout"); return "result"
def sleep(pids, seconds):
    import subprocess
    other = subprocess.Popen(["sleep", str(seconds)])
    with open(pids + ".partial", "w") as file: file.write(f"{os.getpid()} {other.pid}")
    os.rename(pids + ".partial", pids)
    time.sleep(seconds)
"""


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    (tmp_path / "isolated_functions.py").write_text(MODULE)
    return tmp_path


def run(modules: Path, name: str, timeout_s: float = 30, **arguments: object) -> object:
    return run_isolated(f"isolated_functions:{name}", arguments, timeout_s=timeout_s, python_path=[modules])


def alive(pid: int) -> bool:
    """Zombies are dead: nobody has reaped them yet, that is all."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone_soon(*pids: int) -> bool:
    deadline = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(alive, pids))


def test_the_result_comes_back(modules: Path) -> None:
    assert run(modules, "double", number=21) == {"twice": 42}


def test_no_credentials_reach_the_child(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t", "AWS_PROFILE": "prod",
        "GITHUB_TOKEN": "g", "MY_DATABASE_URL": "postgres://u:p@h", "PYTHONPATH": "/nowhere",
    }  # fmt: skip
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    seen = run(modules, "environment")
    assert isinstance(seen, dict)
    assert not secrets.keys() & seen.keys()
    assert seen["AWS_EC2_METADATA_DISABLED"] == "true"
    assert seen["HOME"] != os.environ["HOME"]
    assert not Path(seen["HOME"]).exists()  # it was the run's own folder
    assert seen["PATH"] == os.environ["PATH"]


def test_only_listed_variables_are_kept() -> None:
    kept = scrubbed_environment({"LC_ALL": "C.UTF-8", "SECRET": "x", "LD_PRELOAD": "y", "TZ": "UTC"}, "own folder")
    assert {name for name in ("LC_ALL", "SECRET", "LD_PRELOAD", "TZ") if name in kept} == {"LC_ALL", "TZ"}


def test_errors_come_back_with_their_message(modules: Path) -> None:
    with pytest.raises(LightshipError) as caught:
        run(modules, "refuse", what="The model")
    assert str(caught.value) == "The model is wrong. Do better."


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("broken", "ZeroDivisionError"),
        ("strange", "is not JSON"),
        ("crash", "ended by SIGSEGV"),
        ("leave", "ended with code 3"),
        ("absent", "AttributeError"),
    ],
)
def test_failures_are_told_apart(modules: Path, name: str, says: str) -> None:
    with pytest.raises(IsolatedRunError, match=says):
        run(modules, name)


def test_running_out_of_memory_is_a_clear_error(modules: Path) -> None:
    with pytest.raises(LightshipError, match="ran out of memory"):
        run(modules, "memory")


def test_the_child_is_set_apart(modules: Path) -> None:
    result = run(modules, "limits")
    assert isinstance(result, list)
    core, own_session, folder, path = result
    assert core == 0
    assert own_session
    assert folder != str(Path.cwd())
    assert not {folder, str(Path.cwd()), ""} & set(path)


def test_what_the_child_prints_stays_off_stdout(modules: Path) -> None:
    script = (
        "from pathlib import Path; from lightship.isolation import run_isolated\n"
        f"print(run_isolated('isolated_functions:chatty', {{}}, timeout_s=30, python_path=[Path({str(modules)!r})]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "result\n"
    assert "said on stdout" in done.stderr


def test_the_time_limit_ends_the_child_and_what_it_started(modules: Path) -> None:
    with pytest.raises(IsolatedRunError, match=r"longer than 1\.5 seconds"):
        run(modules, "sleep", timeout_s=1.5, pids=str(modules / "pids"), seconds=60)
    assert gone_soon(*map(int, (modules / "pids").read_text().split()))


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed parent"])
def test_the_child_ends_with_its_parent(modules: Path, ending: signal.Signals) -> None:
    pids = modules / "pids"
    script = (
        "from pathlib import Path; from lightship.isolation import run_isolated\n"
        f"run_isolated('isolated_functions:sleep', {{'pids': {str(pids)!r}, 'seconds': 60}}, timeout_s=60, "
        f"python_path=[Path({str(modules)!r})])"
    )
    environment = {**os.environ, "TMPDIR": str(modules)}
    parent = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL, env=environment)
    deadline = time.monotonic() + 20
    while not pids.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    parent.send_signal(ending)
    assert parent.wait(10) != 0
    child, grandchild = map(int, pids.read_text().split())
    assert gone_soon(child, grandchild)
    assert not list(modules.glob("lightship-*"))


def test_the_parent_imports_nothing_heavy() -> None:
    script = "import sys, lightship.isolation; print([m for m in ('numpy', 'pandas', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
