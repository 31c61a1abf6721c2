"""The Lambda host's cache, interpreters and unzipping."""

import io
import os
import stat
import threading
import zipfile
from pathlib import Path

import pytest

from lightship.cache import cache_root, make_once
from lightship.lambda_host import BadZipError, MissingToolError, find_uv, python_for, remove_tree, tree_digest, unpack
from lightship.lambda_host import interpreter as interpreter_module


def zip_of(*members: tuple[str, bytes, int]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def test_cache_root_follows_the_environment() -> None:
    assert cache_root({"LIGHTSHIP_CACHE": "/somewhere"}) == Path("/somewhere")
    assert cache_root({"XDG_CACHE_HOME": "/xdg"}) == Path("/xdg/lightship")
    assert cache_root({}) == Path.home() / ".cache" / "lightship"


def test_a_failed_making_leaves_nothing(tmp_path: Path) -> None:
    def fail(draft: Path) -> None:
        (draft / "half").touch()
        raise RuntimeError("network")

    with pytest.raises(RuntimeError, match="network"):
        make_once(tmp_path / "thing", fail)
    assert list(tmp_path.iterdir()) == []


def test_two_makers_end_with_one_whole_folder(tmp_path: Path) -> None:
    both = threading.Barrier(2)

    def make(draft: Path) -> None:
        (draft / "whole").write_text("yes")
        both.wait(timeout=10)

    threads = [threading.Thread(target=make_once, args=(tmp_path / "thing", make)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "thing" / "whole").read_text() == "yes"
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_python_for_finds_an_interpreter_outside_of_environments(version: str) -> None:
    found = python_for(version)
    assert found.is_file()
    assert not (found.parent.parent / "pyvenv.cfg").exists()


def test_a_missing_python_says_what_to_do() -> None:
    with pytest.raises(MissingToolError, match=r"uv python install 3\.99"):
        python_for("3.99")


def test_a_shim_that_fails_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = "3.12" if interpreter_module.minor_version() == "3.13" else "3.13"
    for folder in ("shims", "broken"):
        (tmp_path / folder).mkdir()
        shim = tmp_path / folder / f"python{other}"
        shim.write_text("#!/bin/sh\nexit 127\n")
        shim.chmod(0o755)
    find_uv()
    path = [str(tmp_path / "shims"), str(tmp_path / "broken"), *os.get_exec_path()]
    monkeypatch.setenv("PATH", os.pathsep.join(path))
    python_for.cache_clear()
    try:
        assert tmp_path not in python_for(other).parents
    finally:
        python_for.cache_clear()


def test_unpack_keeps_permissions_and_makes_read_only(tmp_path: Path) -> None:
    data = zip_of(("bin/tool", b"#!", stat.S_IFREG | 0o755), ("app.py", b"x = 1", 0o644))
    root = unpack(data, tmp_path / "task")
    assert (root / "app.py").read_bytes() == b"x = 1"
    assert stat.S_IMODE((root / "bin/tool").stat().st_mode) == 0o555
    assert stat.S_IMODE((root / "app.py").stat().st_mode) == 0o444
    again = unpack(data, tmp_path / "other")
    assert tree_digest(root) == tree_digest(again)
    remove_tree(root)
    assert not root.exists()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("../out", 0o644),
        ("/etc/out", 0o644),
        ("a/../../out", 0o644),
        ("link", stat.S_IFLNK | 0o777),
        ("private", 0o600),
    ],
)
def test_unpack_refuses_what_lambda_could_not_use(tmp_path: Path, name: str, mode: int) -> None:
    with pytest.raises(BadZipError):
        unpack(zip_of((name, b"x", mode)), tmp_path / "task")
    assert not (tmp_path / "out").exists()


def test_unpack_refuses_what_is_no_zip(tmp_path: Path) -> None:
    with pytest.raises(BadZipError, match="isn't a zip"):
        unpack(b"PK nothing", tmp_path / "task")


def test_tree_digest_sees_content_names_and_permissions(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    seen = {tree_digest(tmp_path)}
    (tmp_path / "a").write_text("2")
    seen.add(tree_digest(tmp_path))
    (tmp_path / "a").chmod(0o600)
    seen.add(tree_digest(tmp_path))
    (tmp_path / "a").rename(tmp_path / "b")
    seen.add(tree_digest(tmp_path))
    (tmp_path / "link").symlink_to("b")
    seen.add(tree_digest(tmp_path))
    assert len(seen) == 5
