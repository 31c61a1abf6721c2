"""The caller's AWS: clients by service, and its errors in this project's words. boto3 is imported when first needed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lightship_runtime.errors import LightshipError

# Given a service's name: a boto3 client.
type Clients = Callable[[str], Any]

EXTRA = "pip install 'lightship[aws]'"


class CloudError(LightshipError):
    """AWS refused, wasn't reached, or isn't configured."""


class MissingExtraError(LightshipError):
    """boto3 isn't installed."""


class OperateError(LightshipError):
    """A deployed stage isn't in a state for what was asked."""


class Aws:
    """boto3 clients of one session, each made once."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = self._session.client(service)
        return self._made[service]

    @property
    def region(self) -> str:
        """Raises CloudError when neither lightship.toml nor the environment names one."""
        if not self._session.region_name:
            raise CloudError("No AWS region is set. Write [deploy] region in lightship.toml, or export AWS_REGION.")
        return str(self._session.region_name)

    def credentials(self) -> Any:
        """The caller's own, frozen for one use. Raises CloudError when there are none."""
        found = self._session.get_credentials()
        if found is None:
            raise CloudError("There are no AWS credentials. Log in (`aws sso login`), or export AWS_PROFILE.")
        return found.get_frozen_credentials()


def connect(region: str | None = None, account: str | None = None) -> Aws:
    """The AWS of the environment's credentials. `account` is checked where lightship.toml names one.

    Raises MissingExtraError or CloudError.
    """
    try:
        import boto3
    except ImportError as error:
        raise MissingExtraError(f"This command speaks to AWS through boto3, which isn't installed: {EXTRA}") from error
    with aws_errors():
        aws = Aws(boto3.session.Session(region_name=region))
        _ = aws.region  # fails here rather than in the midst of things
        if account is not None:
            check_account(aws, account)
    return aws


def check_account(aws: Clients, account: str) -> None:
    """Raises CloudError when the credentials are another account's."""
    found = aws("sts").get_caller_identity()["Account"]
    if found != account:
        raise CloudError(
            f"Your credentials are for account {found}, but lightship.toml deploys to {account}. "
            "Choose the other profile (AWS_PROFILE), or the right --stage."
        )


def code_of(error: Exception) -> str:
    """AWS's code of a ClientError."""
    response: dict[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


@contextmanager
def aws_errors() -> Iterator[None]:
    """Turns errors of boto3 and botocore into CloudError."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise CloudError(f"AWS refused: {error}. `aws sts get-caller-identity` tells who is asking.") from error
    except (BotoCoreError, Boto3Error) as error:
        raise CloudError(f"AWS can't be used: {error}. Check your credentials and region.") from error
