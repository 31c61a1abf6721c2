"""Releases under an S3 prefix, so that every stage deploys the same bytes: <prefix>/<name>/<version>/<files>.

The manifest is written last and read first: what has none is no release.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lightship.operate.aws import Clients, OperateError, code_of
from lightship.operate.stacks import Say
from lightship.release_folder import draft, publish
from lightship_runtime.manifest import MANIFEST, NotAReleaseError, Release, file_digest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Prefix:
    """A place in S3, without a slash at its end."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises OperateError unless it is s3://BUCKET or s3://BUCKET/PREFIX."""
        found = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", url)
        if found is None:
            raise OperateError(f"{url!r} isn't a place in S3. Write s3://BUCKET/PREFIX.")
        return cls(found[1], (found[2] or "").strip("/"))

    def key(self, *parts: str) -> str:
        return "/".join([self.prefix, *parts]) if self.prefix else "/".join(parts)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


@dataclass(frozen=True, slots=True)
class Shelved:
    """A release on the shelf: its place, and when its manifest was written."""

    name: str
    version: str
    pushed: Any


def push(aws: Clients, folder: Path, shelf: Prefix, say: Say) -> tuple[Release, bool]:
    """Upload a whole release; False when the very same was there. Raises OperateError when another is there under its
    version, and what `Release.read` raises."""
    release = Release.read(folder)
    manifest = (folder / MANIFEST).read_bytes()
    if _is_there(aws, shelf, release):
        return release, False
    s3 = aws("s3")
    for name in release.files:
        say(f"uploading {name}")
        # S3 refuses a body that doesn't give this checksum.
        checked = {"ChecksumAlgorithm": "SHA256"}
        s3.upload_file(str(folder / name), shelf.bucket, _key(shelf, release, name), ExtraArgs=checked)
    _put_manifest(aws, shelf, release, manifest)
    return release, True


def shelved(aws: Clients, shelf: Prefix, name: str | None = None) -> tuple[Shelved, ...]:
    """Whole releases under a prefix, the last pushed first; those of one model, where it is named."""
    return tuple(sorted(_listed(aws, shelf, name), key=lambda each: each.pushed, reverse=True))


def choose(releases: tuple[Shelved, ...], version: str | None, shelf: Prefix) -> Shelved:
    """The one whose version begins so, or else the last pushed. Raises OperateError when that is none or many."""
    found = [each for each in releases if version is None or each.version.startswith(version)]
    if not found:
        known = ", ".join(f"{each.name} {each.version}" for each in releases[:10]) or "nothing"
        raise OperateError(f"{shelf} has no release {version or ''}; it has {known}. `lightship push` puts one there.")
    if version is None and len({each.name for each in found}) > 1:
        names = ", ".join(sorted({each.name for each in found}))
        raise OperateError(f"{shelf} has releases of {names}. Give --version, or name the model with --name.")
    if version is not None and len(found) > 1:
        raise OperateError(f"{version!r} begins {len(found)} releases: {', '.join(each.version for each in found)}.")
    return found[0]


def pull(aws: Clients, shelf: Prefix, wanted: Shelved, out: Path, say: Say) -> Path:
    """Fetch a release to out/<name>/<version>, whole or not at all. Raises NotAReleaseError or OperateError."""
    s3 = aws("s3")
    key = shelf.key(wanted.name, wanted.version)
    release = Release.from_json(s3.get_object(Bucket=shelf.bucket, Key=f"{key}/{MANIFEST}")["Body"].read())
    if (release.name, release.version) != (wanted.name, wanted.version):
        raise NotAReleaseError(f"{shelf}/{key} holds {release.name} {release.version}: somebody moved it. Push anew.")
    place = out / release.name / release.version
    if _is_here(place, release):
        say("it is here already")
        return place
    with draft(out / release.name) as folder:
        for name, digest in release.files.items():
            say(f"downloading {name}")
            target = folder / _checked(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(shelf.bucket, f"{key}/{name}", str(target))
            if file_digest(target) != digest:
                where = f"s3://{shelf.bucket}/{key}"
                raise NotAReleaseError(f"{name} under {where} isn't the file that was sealed. Push it anew.")
        place = publish(folder, release)
    Release.read(place)
    return place


def _listed(aws: Clients, shelf: Prefix, name: str | None) -> Iterator[Shelved]:
    start = shelf.key(name, "") if name else shelf.key("") if shelf.prefix else ""
    pages = aws("s3").get_paginator("list_objects_v2").paginate(Bucket=shelf.bucket, Prefix=start)
    for page in pages:
        for found in page.get("Contents", ()):
            parts = found["Key"].removeprefix(shelf.key("") if shelf.prefix else "").split("/")
            if len(parts) == 3 and parts[2] == MANIFEST and all(NAME.fullmatch(part) for part in parts):
                yield Shelved(parts[0], parts[1], found["LastModified"])


def _is_there(aws: Clients, shelf: Prefix, release: Release) -> bool:
    from botocore.exceptions import ClientError

    try:
        found = aws("s3").get_object(Bucket=shelf.bucket, Key=_key(shelf, release, MANIFEST))["Body"].read()
    except ClientError as error:
        if code_of(error) == "NoSuchKey":
            return False
        raise
    if Release.from_json(found).digest == release.digest:
        return True
    raise OperateError(
        f"{shelf} has another {release.name} {release.version}: same version, other digest. A release is never "
        "replaced; look which of the two was tampered with."
    )


def _put_manifest(aws: Clients, shelf: Prefix, release: Release, manifest: bytes) -> None:
    from botocore.exceptions import ClientError

    key = _key(shelf, release, MANIFEST)
    try:
        aws("s3").put_object(
            Bucket=shelf.bucket, Key=key, Body=manifest, ContentType="application/json", IfNoneMatch="*"
        )
    except ClientError as error:
        # Another machine pushed it in the meantime: that has to be the same one.
        if code_of(error) not in {"PreconditionFailed", "ConditionalRequestConflict"}:
            raise
        _is_there(aws, shelf, release)


def _is_here(place: Path, release: Release) -> bool:
    try:
        return Release.read(place).digest == release.digest
    except NotAReleaseError:
        return False


def _key(shelf: Prefix, release: Release, file: str) -> str:
    return shelf.key(release.name, release.version, file)


def _checked(name: str) -> str:
    """Raises NotAReleaseError for a name that would lie outside of the release's folder."""
    if not all(NAME.fullmatch(part) for part in name.split("/")):
        raise NotAReleaseError(f"The manifest names the file {name!r}, which no release has. Don't use it.")
    return name
