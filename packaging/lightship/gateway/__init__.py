"""API Gateway's two kinds of API: requests to events, a function's answers to responses."""

from lightship.gateway.context import GatewayContext
from lightship.gateway.messages import HttpRequest, HttpResponse, message

__all__ = ["GatewayContext", "HttpRequest", "HttpResponse", "message"]
