"""Messages to channels, by the incoming hooks that chat programs have."""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from lightship_runtime.errors import LightshipError
from lightship_runtime.notify.render import Message

TIMEOUT_S = 5
ATTEMPTS = 2
PARAMETER = "ssm:"
# Where Microsoft Teams' workflows listen; they take cards and nothing else.
# https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
TEAMS = (".logic.azure.com", ".powerplatform.com", ".webhook.office.com")

type Post = Callable[[str, bytes], None]


class UndeliveredError(LightshipError):
    """A written message didn't reach one of its places."""


def address_of(written: str, clients: Callable[[str], Any]) -> str:
    """A hook's address, which may lie in a parameter because whoever knows it can post there."""
    if not written.startswith(PARAMETER):
        return written
    answer = clients("ssm").get_parameter(Name=written.removeprefix(PARAMETER), WithDecryption=True)
    return str(answer["Parameter"]["Value"])


def tell(address: str, message: Message, send: Post) -> None:
    """Send a message, twice if need be. Raises what `send` raises."""
    body = body_for(address, message)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            send(address, body)
        except OSError:
            if attempt == ATTEMPTS:
                raise
            time.sleep(1)
        else:
            return


def body_for(address: str, message: Message) -> bytes:
    """The JSON that the hook at an address takes."""
    host = urlsplit(address).hostname or ""
    return card(message) if host.endswith(TEAMS) else plain(message)


def plain(message: Message) -> bytes:
    """`{"text": ...}`, as Slack, Mattermost, Rocket.Chat and Google Chat have it. Three signs mean something to Slack:
    https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    text = f"*{message.subject}*\n{message.text}"
    for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, escaped)
    return json.dumps({"text": text}).encode()


def card(message: Message) -> bytes:
    """An adaptive card with a block for each paragraph, since a card joins the lines of one."""
    blocks: list[dict[str, Any]] = [{"type": "TextBlock", "text": message.subject, "weight": "Bolder", "wrap": True}]
    for paragraph in message.text.strip().split("\n\n"):
        text = paragraph.strip().replace("\n", "\n\n")
        blocks.append({"type": "TextBlock", "text": text, "wrap": True, "separator": True})
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return json.dumps({"type": "message", "attachments": [attachment]}).encode()


def post(address: str, body: bytes) -> None:
    """POST to an https:// address, which a redirect may not leave. Raises OSError."""
    if not address.startswith("https://"):
        raise UndeliveredError("A hook's address has to begin with https://. Mend [monitoring] chat.")
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method="POST")  # noqa: S310
    with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
        answer.read(1024)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **_named: Any) -> None:
        """None makes the redirect itself the error."""


_OPENER = urllib.request.build_opener(_NoRedirects)
