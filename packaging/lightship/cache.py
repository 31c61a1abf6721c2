"""Where Lightship keeps what it can make again: one folder a user, filled atomically."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

VARIABLE = "LIGHTSHIP_CACHE"


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """`LIGHTSHIP_CACHE`, or else `lightship` in the user's cache folder. Nothing is created."""
    if chosen := environ.get(VARIABLE):
        return Path(chosen).expanduser().absolute()
    base = environ.get("XDG_CACHE_HOME") or environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "lightship"


def make_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return `folder`, filling it by `make(empty_folder)` when it isn't there yet.

    It appears whole or not at all: it is filled under another name beside it and renamed. Of two processes that make
    it at once, one wins and the other throws its copy away.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        make(draft)
        draft.chmod(0o755)
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder
