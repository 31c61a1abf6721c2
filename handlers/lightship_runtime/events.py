"""API Gateway's events, both payload formats, reduced to what a route needs.

Format 2.0 comes from HTTP APIs, 1.0 from REST APIs:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from lightship_runtime.problems import Problem

if TYPE_CHECKING:
    from lightship_runtime.predict import Reply


class Request(NamedTuple):
    """One HTTP request. `stage` is the path prefix of a named stage ("/prod"), or empty."""

    method: str
    path: str
    stage: str
    headers: dict[str, str]
    event: dict[str, Any]

    @property
    def body(self) -> bytes:
        """Raises Problem 400 when the event says base64 and it isn't."""
        text: str = self.event.get("body") or ""
        if not self.event.get("isBase64Encoded"):
            return text.encode(errors="surrogatepass")
        import base64

        try:
            return base64.b64decode(text, validate=True)
        except ValueError as error:
            raise Problem(400, "The body is not base64.") from error


def read_event(event: dict[str, Any]) -> Request:
    """Raises KeyError when it isn't an event of API Gateway's."""
    context = event["requestContext"]
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if event.get("version") == "2.0":
        method, path = context["http"]["method"], event["rawPath"]
        stage = f"/{context['stage']}"
        if not path.startswith(f"{stage}/"):
            stage = ""
        return Request(method, path.removeprefix(stage), stage, headers, event)
    # A REST API's `path` has no stage, but callers need it in links unless a custom domain hides it.
    named = f"/{context['stage']}"
    stage = named if str(context.get("path", "")).startswith(f"{named}/") else ""
    return Request(event["httpMethod"], event["path"], stage, headers, event)


def response(reply: "Reply") -> dict[str, Any]:
    """A reply as both payload formats take it."""
    return {
        "statusCode": reply.status,
        "headers": {"content-type": reply.media_type},
        "body": reply.body.decode(),
        "isBase64Encoded": False,
    }
