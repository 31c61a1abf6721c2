"""Addresses in the AWS console: dashboards, and queries of Logs Insights ready to run."""

CONSOLE = "https://console.aws.amazon.com/cloudwatch/home?region="
HOUR_S = 3600


def dashboard(region: str, name: str) -> str:
    return f"{CONSOLE}{region}#dashboards:name={name}"


def logs_query(region: str, group: str, query: str) -> str:
    """A query over the last hour of a log group.

    The console writes its parameters in a notation of its own, inside of which text is escaped by stars. All of it is
    escaped once more, so that mail programs take the whole address for one link.
    """
    source = group if group.startswith("${") else _starred(group)
    detail = f"~(start~-{HOUR_S}~timeType~'RELATIVE~unit~'seconds~editorString~'{_starred(query)}~source~(~'{source}))"
    for sign, number in (("~", "7E"), ("(", "28"), (")", "29"), ("'", "27")):
        detail = detail.replace(sign, f"$25{number}")
    return f"{CONSOLE}{region}#logsV2:logs-insights$3FqueryDetail$3D{detail}"


def _starred(text: str) -> str:
    return "".join(each if each.isalnum() or each in "-_." else f"*{ord(each):02x}" for each in text)
