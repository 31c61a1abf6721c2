"""The base of every error a user of Lightship can meet."""


class LightshipError(Exception):
    """Says what happened, the offending value, and what to do next, in that order."""


class UnknownSchemaError(LightshipError):
    """A document was written under a schema version that this Lightship can't read."""

    def __init__(self, document: str, found: object, known: int) -> None:
        super().__init__(
            f"{document} has schema version {found!r}; this Lightship reads version {known}. "
            "Package the model again with this Lightship, or use the Lightship that wrote the document."
        )


class InvalidDocumentError(LightshipError):
    """A contract, manifest or other document of Lightship's own is not what its schema says."""
