"""Access logs: one line a request, in the format that the stage says."""

import contextlib
import re
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from lightship.gateway import HttpRequest, HttpResponse
from lightship.rehearsal.emulator.clients import Clients

VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_.]+)")
STREAM = "rehearsal"


class AccessLog:
    """Writes to the log group of a stage's settings; does nothing for a stage without."""

    def __init__(self, clients: Clients, settings: Mapping[str, str] | None) -> None:
        settings = {name.lower(): text for name, text in (settings or {}).items()}
        self._format = settings.get("format", "")
        self._group = settings.get("destinationarn", "").partition(":log-group:")[2].removesuffix(":*")
        self._logs = clients("logs")
        self._ready = False

    def write(self, request: HttpRequest, response: HttpResponse, context: Mapping[str, Any]) -> None:
        """An unknown variable is a dash, as on AWS."""
        if not self._group:
            return
        known = {
            "identity.sourceIp": request.source_ip,
            "identity.userAgent": request.header("user-agent") or "",
            "protocol": "HTTP/1.1",
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            "status": response.status,
            "responseLength": len(response.body),
            **context,
        }
        line = VARIABLE.sub(lambda found: str(known.get(found[1], "-")), self._format)
        event = {"timestamp": time.time_ns() // 1_000_000, "message": line}
        with contextlib.suppress(ClientError):
            if not self._ready:
                with contextlib.suppress(self._logs.exceptions.ResourceAlreadyExistsException):
                    self._logs.create_log_stream(logGroupName=self._group, logStreamName=STREAM)
                self._ready = True
            self._logs.put_log_events(logGroupName=self._group, logStreamName=STREAM, logEvents=[event])
