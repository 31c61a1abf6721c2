"""Releases in S3: whole, verified, and never replaced."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lightship.operate.aws import Aws, OperateError
from lightship.operate.shelf import Prefix, Shelved, choose, pull, push, shelved
from lightship_runtime.manifest import MANIFEST, Engines, NotAReleaseError, Release, Target

SHELF = Prefix("shelf", "models")


def quiet(_text: str) -> None:
    """Nobody listens."""


def write_release(folder: Path, note: bytes = b"zip", name: str = "planes", version: str | None = None) -> Release:
    folder.mkdir(parents=True)
    files = {"realtime.zip": note, "contract.json": b"{}"}
    for file, data in files.items():
        (folder / file).write_bytes(data)
    release = Release(
        name=name,
        version=version or hashlib.sha256(note).hexdigest()[:16],
        lightship="0.1.0",
        target=Target("3.13", "x86_64", "2_34"),
        engine=Engines("pure", "array"),
        artifacts={},
        files={file: hashlib.sha256(data).hexdigest() for file, data in files.items()},
        proof=None,
    )
    (folder / MANIFEST).write_bytes(release.to_json())
    return release


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def aws(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    found = Aws(boto3.session.Session(region_name="us-east-1"))
    found("s3").create_bucket(Bucket="shelf")
    yield found
    for each in found("s3").list_objects_v2(Bucket="shelf").get("Contents", ()):
        found("s3").delete_object(Bucket="shelf", Key=each["Key"])
    found("s3").delete_bucket(Bucket="shelf")


def keys(aws: Any) -> list[str]:
    return [each["Key"] for each in aws("s3").list_objects_v2(Bucket="shelf").get("Contents", ())]


def test_what_was_pushed_comes_back_byte_for_byte(aws: Aws, tmp_path: Path) -> None:
    release = write_release(tmp_path / "r")
    assert push(aws, tmp_path / "r", SHELF, quiet) == (release, True)
    assert push(aws, tmp_path / "r", SHELF, quiet) == (release, False)
    assert f"models/planes/{release.version}/{MANIFEST}" in keys(aws)
    wanted = choose(shelved(aws, SHELF), release.version[:5], SHELF)
    place = pull(aws, SHELF, wanted, tmp_path / "out", quiet)
    assert place == tmp_path / "out" / "planes" / release.version
    assert {each.name: each.read_bytes() for each in place.iterdir()} == {
        each.name: each.read_bytes() for each in (tmp_path / "r").iterdir()
    }
    said: list[str] = []
    assert pull(aws, SHELF, wanted, tmp_path / "out", said.append) == place
    assert said == ["it is here already"]


def test_a_release_is_never_replaced_by_another_under_its_version(aws: Aws, tmp_path: Path) -> None:
    write_release(tmp_path / "one", b"one", version="aaaa")
    write_release(tmp_path / "two", b"two", version="aaaa")
    push(aws, tmp_path / "one", SHELF, quiet)
    with pytest.raises(OperateError, match="never replaced"):
        push(aws, tmp_path / "two", SHELF, quiet)
    assert aws("s3").get_object(Bucket="shelf", Key="models/planes/aaaa/realtime.zip")["Body"].read() == b"one"


def test_an_upload_that_was_interrupted_is_no_release(aws: Aws, tmp_path: Path) -> None:
    write_release(tmp_path / "r")

    def interrupt(text: str) -> None:
        if "realtime" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push(aws, tmp_path / "r", SHELF, interrupt)
    assert len(keys(aws)) == 1
    assert shelved(aws, SHELF) == ()
    assert push(aws, tmp_path / "r", SHELF, quiet)[1]


def test_what_was_changed_in_s3_is_refused_and_leaves_nothing(aws: Aws, tmp_path: Path) -> None:
    release = write_release(tmp_path / "r")
    push(aws, tmp_path / "r", SHELF, quiet)
    aws("s3").put_object(Bucket="shelf", Key=f"models/planes/{release.version}/realtime.zip", Body=b"other")
    with pytest.raises(NotAReleaseError, match=r"realtime\.zip"):
        pull(aws, SHELF, shelved(aws, SHELF)[0], tmp_path / "out", quiet)
    assert not (tmp_path / "out" / "planes").exists()


def test_a_file_name_that_leads_out_of_the_folder_is_refused(aws: Aws, tmp_path: Path) -> None:
    release = write_release(tmp_path / "r")
    evil = replace(release, files={"../../evil": "0" * 64})
    aws("s3").put_object(Bucket="shelf", Key=f"models/planes/{evil.version}/{MANIFEST}", Body=evil.to_json())
    with pytest.raises(NotAReleaseError, match="evil"):
        pull(aws, SHELF, shelved(aws, SHELF)[0], tmp_path / "out", quiet)
    assert not (tmp_path / "evil").exists()


def test_the_choice_is_asked_for_where_it_is_open(aws: Aws, tmp_path: Path) -> None:
    with pytest.raises(OperateError, match="it has nothing"):
        choose(shelved(aws, SHELF), None, SHELF)
    for version in ("aaaa", "aabb"):
        write_release(tmp_path / version, version.encode(), version=version)
        push(aws, tmp_path / version, SHELF, quiet)
    assert {each.version for each in shelved(aws, SHELF)} == {"aaaa", "aabb"}
    newest_first = (Shelved("planes", "aabb", 2), Shelved("planes", "aaaa", 1))
    assert choose(newest_first, None, SHELF).version == "aabb"
    with pytest.raises(OperateError, match="begins 2"):
        choose(shelved(aws, SHELF), "aa", SHELF)
    write_release(tmp_path / "other", b"other", name="trains")
    push(aws, tmp_path / "other", SHELF, quiet)
    with pytest.raises(OperateError, match="planes, trains"):
        choose(shelved(aws, SHELF), None, SHELF)
    assert choose(shelved(aws, SHELF, "trains"), None, SHELF).name == "trains"


@pytest.mark.parametrize("url", ["shelf/models", "s3://", "s3://A_B/x", "https://shelf/models"])
def test_a_place_has_to_be_in_s3(url: str) -> None:
    with pytest.raises(OperateError, match="s3://BUCKET/PREFIX"):
        Prefix.parse(url)
    assert Prefix.parse("s3://shelf/models/") == SHELF
    assert Prefix.parse("s3://shelf").key("a", "b") == "a/b"
