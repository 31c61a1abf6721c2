"""What Lambda is told about a function, and the environment variables it makes of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lightship_runtime.errors import LightshipError

type Initialization = Literal["on-demand", "provisioned-concurrency", "snap-start"]

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
RESERVED = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)


class ReservedVariableError(LightshipError):
    """The function's own environment sets a variable that Lambda reserves."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a function's role would give it. Only an emulated AWS is ever handed any."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Function:
    """A function as Lambda knows it: `root` is the unzipped artifact, `handler` dotted, `python` such as "3.13".

    `environment` is the function's own; it can't set what Lambda reserves. `extra` is for variables a local AWS needs
    (its endpoint), and may. `sdk` puts boto3 on the path after the artifact, where Lambda has it. `log_group` is
    `/aws/lambda/NAME` unless given.
    """

    root: Path
    handler: str
    python: str = "3.13"
    name: str = "lightship"
    version: str = "$LATEST"
    memory_mb: int = 1024
    timeout_s: float = 30.0
    environment: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    region: str = "us-east-1"
    account: str = "123456789012"
    initialization: Initialization = "on-demand"
    credentials: Credentials | None = None
    sdk: bool = False
    log_group: str = ""

    def __post_init__(self) -> None:
        if reserved := sorted(RESERVED & self.environment.keys()):
            raise ReservedVariableError(
                f"The function's environment sets {', '.join(reserved)}, which Lambda reserves. Choose another name."
            )

    @property
    def arn(self) -> str:
        """The ARN it is invoked by: qualified, unless the version is $LATEST."""
        base = f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"
        return base if self.version == "$LATEST" else f"{base}:{self.version}"


def lambda_environment(function: Function, runtime_dir: Path, api_address: str, stream: str) -> dict[str, str]:
    """All the variables the function's process gets; the host's own are not among them."""
    root = str(function.root)
    defaults = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": os.pathsep.join([str(runtime_dir), root, f"{root}/lib", "/opt/lib"]),
        "PYTHONPATH": str(runtime_dir),
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000",
    }
    reserved = {
        "_HANDLER": function.handler,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{function.python}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": function.initialization,
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group or f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_LAMBDA_RUNTIME_API": api_address,
        "LAMBDA_RUNTIME_DIR": str(runtime_dir),
        "LAMBDA_TASK_ROOT": root,
    }
    if function.credentials:
        reserved |= {
            "AWS_ACCESS_KEY_ID": function.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": function.credentials.secret_access_key,
            "AWS_SESSION_TOKEN": function.credentials.session_token,
        }
    return {**defaults, **function.environment, **reserved, **function.extra}
