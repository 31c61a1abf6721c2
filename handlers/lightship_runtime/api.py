"""The FastAPI application: every route there is, with the OpenAPI page that the contract describes."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from mangum import Mangum
from mangum.types import ASGI, Receive, Scope, Send
from starlette.exceptions import HTTPException

from lightship_runtime import events
from lightship_runtime.contract import Contract
from lightship_runtime.openapi import feedback_operation, predict_operation
from lightship_runtime.predict import Predictor, Reply
from lightship_runtime.problems import Problem


def create_app(predictor: Predictor, contract_json: bytes) -> FastAPI:
    """The application around one model."""
    contract = Contract.from_json(contract_json)
    model = predictor.model
    app = _Application(
        title=model["name"], version=model["version"], summary="A model served by Lightship.", redirect_slashes=False
    )

    @app.post("/predict", openapi_extra=predict_operation(contract), summary="Predict a batch of rows")
    async def predict(request: Request) -> Response:
        return _response(predictor.answer(await request.body(), request.headers.get("content-type")))

    @app.get("/ping", summary="Answer when the model is loaded")
    async def ping() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/contract", summary="The model's signature")
    async def contract_document() -> Response:
        return Response(contract_json, media_type="application/json")

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        detail = f"{request.method} {request.url.path}: {error.detail}. GET /docs lists the routes."
        return _response(Reply.problem(Problem(error.status_code, detail)))

    return app


class _Application(FastAPI):
    """Lists the route as well that lies beside this application's own."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        document["paths"]["/feedback"] = {"post": feedback_operation()}
        return document


def http_handler(predictor: Predictor, contract_json: bytes) -> Callable[[events.Request, Any], dict[str, Any]]:
    """The application behind Mangum, as a function of an event that `events.read_event` has read."""
    app = create_app(predictor, contract_json)

    def handle(request: events.Request, context: Any) -> dict[str, Any]:
        # With the lifespan on, Mangum would run it again at every invocation.
        adapter = Mangum(_at_root(app, request), lifespan="off")
        return adapter(request.event, context)

    return handle


def _at_root(app: FastAPI, request: events.Request) -> ASGI:
    """The application under a stage's path prefix, so that routes match and links carry it."""

    async def rooted(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "path": request.stage + request.path, "root_path": request.stage}, receive, send)

    return rooted


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, media_type=reply.media_type)
