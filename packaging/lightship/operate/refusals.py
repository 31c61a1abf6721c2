"""Why the hook refused a release, from its own log."""

import json
from datetime import datetime

from lightship.operate.aws import Clients
from lightship.operate.stacks import DeployedStack


def refusal(aws: Clients, stack: DeployedStack, since: datetime) -> str | None:
    """The last reason the stack's hook gave since then, naming the row that differed; None when it refused nothing."""
    hooks = {each.physical for each in stack.of_type("AWS::Lambda::Function") if "Hook" in each.logical}
    groups = [each.physical for each in stack.of_type("AWS::Logs::LogGroup") if "Hook" in each.logical]
    if not hooks:
        return None
    start = int(since.timestamp() * 1000)
    reasons: list[str] = []
    for group in groups:
        pages = aws("logs").get_paginator("filter_log_events").paginate(logGroupName=group, startTime=start)
        for page in pages:
            reasons += [reason for event in page["events"] if (reason := _reason(event["message"]))]
    return reasons[-1] if reasons else None


def _reason(line: str) -> str | None:
    if '"verdict"' not in line:
        return None
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return str(told.get("reason")) if told.get("verdict") == "refused" else None
