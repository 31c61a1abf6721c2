"""JSON from callers: what the standard parser lets through and a model must not see is refused."""

import json
from typing import Any, NoReturn


class JsonError(ValueError):
    """The body isn't JSON that we accept; the message may be shown to the caller."""


def parse_json(body: bytes) -> Any:
    """Parse UTF-8 JSON. NaN, Infinity, duplicate keys and nesting past the interpreter's own limit are refused.

    Numbers such as 1e999 still become infinite: whoever takes a number checks that it is finite. Raises JsonError.
    """
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except JsonError:
        raise
    except UnicodeDecodeError as error:
        raise JsonError(f"The body is not UTF-8 (byte {error.start}).") from error
    except RecursionError as error:
        raise JsonError("The body nests too deep.") from error
    except ValueError as error:
        raise JsonError(f"The body is not JSON: {error}.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not JSON; send null for a missing value.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise JsonError(f"The key {twice!r} stands twice in one object.")
    return document
