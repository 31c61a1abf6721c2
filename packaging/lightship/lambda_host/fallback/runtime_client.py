"""The transport awslambdaric looks for, in plain Python, for systems its compiled one isn't built for.

awslambdaric publishes wheels for Linux only. Its other modules are plain Python and run anywhere.
"""

from http.client import HTTPConnection

PREFIX = "/2018-06-01/runtime/invocation"
_state: dict[str, HTTPConnection | str] = {}


def initialize_client(user_agent: str) -> None:
    _state["user_agent"] = user_agent


def _request(method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[bytes, dict[str, str]]:
    import os

    connection = _state.get("connection")
    if not isinstance(connection, HTTPConnection):
        connection = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        _state["connection"] = connection
    sent = {"User-Agent": str(_state["user_agent"])} | {name.replace("_", "-"): text for name, text in headers.items()}
    connection.request(method, PREFIX + path, body, sent)
    response = connection.getresponse()
    data = response.read()
    if response.status >= 300:
        raise RuntimeError(f"{method} {path}: the Runtime API answered {response.status}")
    return data, dict(response.getheaders())


def next() -> tuple[bytes, dict[str, str]]:  # noqa: A001 - the name awslambdaric calls
    return _request("GET", "/next")


def post_invocation_result(request_id: str, data: bytes, content_type: str, invocation_id: str | None = None) -> None:
    _request("POST", f"/{request_id}/response", data, Content_Type=content_type, **_echo(invocation_id))


def post_error(request_id: str, error: str, xray: str, invocation_id: str | None = None) -> None:
    cause = {"Lambda_Runtime_Function_XRay_Error_Cause": xray} if xray else {}
    _request(
        "POST", f"/{request_id}/error", error.encode(), Content_Type="application/json", **cause, **_echo(invocation_id)
    )


def _echo(invocation_id: str | None) -> dict[str, str]:
    return {"Lambda_Runtime_Invocation_Id": invocation_id} if invocation_id else {}
