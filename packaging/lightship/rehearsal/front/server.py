"""One address on loopback for each deployed API."""

from collections.abc import Callable
from typing import Self

from lightship.gateway import HttpRequest, HttpResponse
from lightship.loopback import Answer, LoopbackServer
from lightship.rehearsal.aws import RunCredentials
from lightship.rehearsal.clients import stack_resources
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.front.http_api import HttpApi
from lightship.rehearsal.front.rest_api import RestApi
from lightship_runtime.errors import LightshipError

type Answered = Callable[[int, bytes], None]

HTTP, REST, STAGE = "AWS::ApiGatewayV2::Api", "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage"


class ApiFront:
    """Serves an API; `url` is what its callers put before a path. A context manager.

    `pages` are answered by itself, by method and path under `root`; `answered` hears status and body of other answers.
    """

    def __init__(self, api: HttpApi | RestApi, port: int = 0) -> None:
        self.api = api
        self.pages: dict[tuple[str, str], Answer] = {}
        self.answered: Answered = lambda _status, _body: None
        self._server = LoopbackServer(self._answer, port=port)
        self.root = self._server.url
        self.url = self.root + (f"/{api.stage}" if isinstance(api, RestApi) else "")

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if page := self.pages.get((request.method, request.path)):
            return page(request)
        response = self.api.answer(request)
        self.answered(response.status, response.body)
        return response

    def close(self) -> None:
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def front_of(clients: Clients, credentials: RunCredentials, stack: str) -> ApiFront:
    """The front of a stack's one API. Raises LightshipError when it has none, or several."""
    resources = stack_resources(clients, stack)
    apis: list[HttpApi | RestApi] = [HttpApi(clients, credentials, name) for name in resources.get(HTTP, [])]
    stages = resources.get(STAGE, [])
    apis += [RestApi(clients, credentials, name, stages[0]) for name in resources.get(REST, []) if stages]
    if len(apis) != 1:
        raise LightshipError(f"The stack {stack} has {len(apis)} APIs with a stage; the rehearsal calls exactly one.")
    return ApiFront(apis[0])
