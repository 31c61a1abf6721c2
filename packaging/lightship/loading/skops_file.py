"""skops files: a zip of JSON and arrays. Audited first, then constructed."""

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import skops.io
from skops.io.exceptions import UntrustedTypesFoundException

from lightship.loading.errors import (
    CorruptModelError,
    MissingPackageError,
    ModelLoadError,
    TooLargeError,
    UntrustedModelError,
)
from lightship.loading.files import MAX_MODEL_BYTES
from lightship.loading.harmless import HARMLESS

SCHEMA = "schema.json"
MAX_SCHEMA_BYTES = 100_000_000
MAX_RATIO = 200
"""A skops file stores its arrays, or deflates them; numbers that shrink further than this are a bomb."""

_MIN_SUSPECT_BYTES = 50_000_000


def load_skops(data: bytes, file: str, trust: Sequence[str], *, limit: int = MAX_MODEL_BYTES) -> Any:
    """The object in a skops file whose size was checked by `check_archive` and whose versions by the caller.

    Raises UntrustedModelError listing the types that `trust` doesn't name, CorruptModelError for anything broken.
    """
    check_archive(data, file, limit=limit)
    try:
        trusted = HARMLESS | set(trust)
        untrusted = sorted(set(skops.io.get_untrusted_types(data=data)) - trusted)
        if untrusted:
            raise _untrusted(file, untrusted)
        return skops.io.loads(data, trusted=sorted(trusted))
    except ModelLoadError:
        raise
    except UntrustedTypesFoundException as error:
        raise UntrustedModelError(f"{file} holds types that were not trusted ({error}).", ()) from error
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        raise MissingPackageError(file, package, package) from error
    except Exception as error:
        raise CorruptModelError(
            f"{file} is a skops file that fails to load: {type(error).__name__}: {error}. "
            "Save the model again, with the versions installed here."
        ) from error


def check_archive(data: bytes, file: str, *, limit: int = MAX_MODEL_BYTES) -> None:
    """Raises TooLargeError by the sizes the zip declares (reading stops there), CorruptModelError when it is broken."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise CorruptModelError(f"{file} is a damaged or truncated zip ({error}). Save the model again.") from error
    total = sum(member.file_size for member in members)
    bomb = total > _MIN_SUSPECT_BYTES and total > MAX_RATIO * len(data)
    schema = max((member.file_size for member in members if member.filename == SCHEMA), default=0)
    if total > limit or bomb or schema > MAX_SCHEMA_BYTES:
        raise TooLargeError(
            f"{file} ({len(data):,} bytes) says that it unpacks to {total:,} bytes, {schema:,} of them {SCHEMA}; the "
            f"limits are {limit:,}, {MAX_SCHEMA_BYTES:,} and {MAX_RATIO} times the file. Fit a smaller model, or check "
            "where the file comes from."
        )


def skops_sklearn_versions(data: bytes, file: str) -> list[str]:
    """The scikit-learn versions that the estimators in the file recorded, read from its JSON alone."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            schema = json.loads(archive.read(SCHEMA))
        return list(_recorded_versions(schema))
    except Exception as error:
        raise CorruptModelError(
            f"{file} is a damaged skops file: its {SCHEMA} can't be read ({error}). Save the model again."
        ) from error


def _recorded_versions(node: Any) -> Iterator[str]:
    pending = [node]
    while pending:
        match pending.pop():
            case dict() as found:
                recorded = found.get("_sklearn_version")
                if isinstance(recorded, dict) and isinstance(content := recorded.get("content"), str):
                    yield str(json.loads(content))
                pending.extend(found.values())
            case list() as found:
                pending.extend(found)


def _untrusted(file: str, names: Sequence[str]) -> UntrustedModelError:
    return UntrustedModelError(
        f"{file} holds types that aren't known to be harmless: {', '.join(names)}. Read the list; if you know where "
        f"the file comes from, trust each by name: {' '.join(f'--trust {name}' for name in names)}",
        names,
    )
