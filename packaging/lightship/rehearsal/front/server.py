"""One address on loopback for each deployed API."""

from typing import Self

from lightship.loopback import LoopbackServer
from lightship.rehearsal.aws import RunCredentials
from lightship.rehearsal.clients import stack_resources
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.front.http_api import HttpApi
from lightship.rehearsal.front.rest_api import RestApi
from lightship_runtime.errors import LightshipError

HTTP, REST, STAGE = "AWS::ApiGatewayV2::Api", "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage"


class ApiFront:
    """Serves an API; `url` is what its callers put before a path. A context manager."""

    def __init__(self, api: HttpApi | RestApi, port: int = 0) -> None:
        self.api = api
        self._server = LoopbackServer(api.answer, port=port)
        self.url = self._server.url + (f"/{api.stage}" if isinstance(api, RestApi) else "")

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
