"""Lightship's own JSON documents: canonical bytes out, checked dictionaries in."""

import json
from typing import Any

from lightship_runtime.errors import InvalidDocumentError, UnknownSchemaError

type Json = Any


def dump_document(document: Json) -> bytes:
    """The one way a document becomes bytes: UTF-8, sorted keys, no spaces, finite numbers only."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def load_document(data: bytes | str, *, what: str, schema: int) -> dict[str, Json]:
    """Parse a JSON object and check its `schema` key.

    Raises InvalidDocumentError when it isn't a JSON object, UnknownSchemaError when its version is another.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidDocumentError(f"{what} is not JSON ({error}). Package the model again.") from error
    if not isinstance(document, dict):
        raise InvalidDocumentError(
            f"{what} is a JSON {type(document).__name__}, not an object. Package the model again."
        )
    if document.get("schema") != schema:
        raise UnknownSchemaError(what, document.get("schema"), schema)
    return document
