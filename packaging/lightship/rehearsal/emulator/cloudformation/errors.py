"""What CloudFormation answers when it can't do what was asked."""

from lightship_runtime.errors import LightshipError


class CloudFormationError(LightshipError):
    """An error with the code a client looks for."""

    code = "ValidationError"


class ChangeSetNotFoundError(CloudFormationError):
    code = "ChangeSetNotFound"


class AlreadyExistsError(CloudFormationError):
    code = "AlreadyExistsException"


class TemplateError(CloudFormationError):
    """The template says something that CloudFormation doesn't understand, or the emulation doesn't."""
