"""The batch function's entry where its libraries as they are would be over Lambda's limit: the largest of them come
packed in one file, and are unpacked into the temporary folder (512 MB on Lambda) when the function starts."""

import os
import shutil
import stat
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

PREFIX = "packed-"


def unpack(root: Path) -> Path:
    """Unpack `packed-DIGEST.zip` of the folder, once for all processes of this user, and have Python look there."""
    archive = next(root.glob(f"{PREFIX}*.zip"))
    place = Path(tempfile.gettempdir()) / f"lightship-{archive.stem}"
    if not _is_own(place):
        draft = Path(tempfile.mkdtemp(prefix="lightship-"))
        with zipfile.ZipFile(archive) as content:
            content.extractall(draft)
        try:
            draft.rename(place)
        except OSError:
            if _is_own(place):
                shutil.rmtree(draft, ignore_errors=True)
            else:
                place = draft
    sys.path.insert(0, str(place))
    return place


def _is_own(place: Path) -> bool:
    """Whether it is a folder that nobody else can have written."""
    try:
        found = place.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


if any((_root := Path(__file__).resolve().parents[2]).glob(f"{PREFIX}*.zip")):
    unpack(_root)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What `lightship_runtime.batch.handlers.handler` does."""
    from lightship_runtime.batch import handlers

    return handlers.handler(event, context)
