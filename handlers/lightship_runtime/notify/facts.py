"""What an engineer has to know besides the alarm itself. Each fact is known, or has words for why it isn't."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self
from urllib.parse import quote

type Severity = Literal["page", "ticket"]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that couldn't be learned; `why` is a whole sentence."""

    why: str


@dataclass(frozen=True, slots=True)
class Version:
    """A version by Lambda's number, and the release it was made from ("" when it isn't one of ours)."""

    number: int
    release: str
    published: datetime | None = None

    def __str__(self) -> str:
        return f"version {self.number} (release {self.release[:12]})" if self.release else f"version {self.number}"


@dataclass(frozen=True, slots=True)
class Releases:
    """What callers reach. `previous` is the newest version before the live one of another release, None when there is
    none; `shares` has the parts of traffic where another version gets some."""

    live: Version
    previous: Version | None
    shares: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Deployment:
    """The last change of what is live: when, and how far it is. `target` is None where that can't be read."""

    time: datetime
    status: Literal["done", "under way", "undone", "first"]
    target: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column that the monitor flags: the effect's size, and the rows it was seen in."""

    name: str
    effect: float
    rows: int
    level: str


@dataclass(frozen=True, slots=True)
class Breach:
    """One kind of trouble that holds, as the monitor's last run has it. `columns` are the worst of `count`; `metric` is
    `accuracy` or `mae`, where the trouble is about one."""

    kind: str
    since: datetime | None
    columns: tuple[Column, ...] = ()
    count: int = 0
    metric: str = "accuracy"
    value: float | None = None
    low: float | None = None
    high: float | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Monitored:
    """The monitor's last run: when it ended, the windows it knew, and what is wrong."""

    time: datetime
    windows: int
    breaches: tuple[Breach, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """One of a composite alarm's members that sounds, with its value against its threshold in words, briefly too."""

    name: str
    told: str
    brief: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Service:
    """What is known from the deployment: the service's name, the options behind commands, the region and the address
    of its parts, empty where a part isn't deployed. `table` has by each alarm's title what it doesn't say itself:
    `unit`, `query`, the `log` to put it to (a key of `log_groups`), `metrics`, and the `commands` to look with."""

    name: str
    options: str
    region: str
    function: str
    alias: str
    log_groups: Mapping[str, str]
    application: str
    deployment_group: str
    monitoring_bucket: str
    pages_topic: str
    written_pages_topic: str
    written_tickets_topic: str
    chat: tuple[str, ...]
    table: Mapping[str, Mapping[str, str]]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], table: Mapping[str, Mapping[str, str]]) -> Self:
        """Raises KeyError where a variable is missing."""
        return cls(
            name=environment["LIGHTSHIP_SERVICE"],
            options=environment["LIGHTSHIP_OPTIONS"],
            region=environment["AWS_REGION"],
            function=environment["LIGHTSHIP_FUNCTION"],
            alias=environment["LIGHTSHIP_ALIAS"],
            log_groups=json.loads(environment["LIGHTSHIP_LOG_GROUPS"]),
            application=environment["LIGHTSHIP_APPLICATION"],
            deployment_group=environment["LIGHTSHIP_DEPLOYMENT_GROUP"],
            monitoring_bucket=environment["LIGHTSHIP_MONITORING_BUCKET"],
            pages_topic=environment["LIGHTSHIP_PAGES_TOPIC"],
            written_pages_topic=environment["LIGHTSHIP_WRITTEN_PAGES_TOPIC"],
            written_tickets_topic=environment["LIGHTSHIP_WRITTEN_TICKETS_TOPIC"],
            chat=tuple(environment["LIGHTSHIP_CHAT"].split()),
            table=table,
        )

    def title_of(self, alarm: str) -> str:
        """An alarm's name without the service before it, and without a version behind it."""
        return re.sub(r"-v\d+$", "", alarm.removeprefix(f"{self.name}-"))

    def unit_of(self, alarm: str) -> str:
        """What an alarm's number counts; empty for one that isn't in the table."""
        return self.table.get(self.title_of(alarm), {}).get("unit", "")

    def query_of(self, alarm: str) -> str:
        """What to ask the logs about an alarm."""
        return self.table.get(self.title_of(alarm), {}).get("query") or LOGS_QUERY

    def commands_of(self, alarm: str) -> tuple[str, ...]:
        """What to type about an alarm, for this stage."""
        commands = self.table.get(self.title_of(alarm), {}).get("commands", "")
        return tuple(each.replace("{options}", self.options) for each in commands.splitlines())

    def metrics_of(self, alarm: str) -> frozenset[str]:
        """The metrics that an alarm, or a composite's members, look at."""
        return frozenset(self.table.get(self.title_of(alarm), {}).get("metrics", "").split())

    @property
    def dashboard(self) -> str:
        return f"{self._console}#dashboards:name={quote(self.name)}"

    def logs(self, alarm: str) -> str:
        """An alarm's query over the last hour of its log, in CloudWatch's own page.

        Its notation is escaped twice, so that a mail program takes the whole address for one link.
        """
        log = self.table.get(self.title_of(alarm), {}).get("log", "")
        query, group = _insights_text(self.query_of(alarm)), _insights_text(self.log_groups.get(log, ""))
        detail = f"~(end~0~start~-3600~timeType~'RELATIVE~unit~'seconds~editorString~'{query}~source~(~'{group}))"
        for sign, number in (("~", "7E"), ("(", "28"), (")", "29"), ("'", "27")):
            detail = detail.replace(sign, f"$25{number}")
        return f"{self._console}#logsV2:logs-insights$3FqueryDetail$3D{detail}"

    @property
    def _console(self) -> str:
        return f"https://{self.region}.console.aws.amazon.com/cloudwatch/home?region={self.region}"


# A failed request's line has `Failed`; a traceback, a time-out and a dead process have none of our keys.
LOGS_QUERY = (
    "filter Failed >= 1 or @message like /Traceback|Error|Task timed out|Runtime exited/"
    " | sort @timestamp desc | limit 50"
)


def _insights_text(text: str) -> str:
    """Text inside of the page's own notation, where every other character is a star and its hexadecimal number."""
    return "".join(each if each.isalnum() or each in "-_." else f"*{ord(each):02x}" for each in text)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything but the alarm, at the moment `now`. `began` is when a resolved alarm had begun to sound,
    None where the history doesn't say."""

    service: Service
    severity: Severity
    now: datetime
    releases: Releases | Unknown
    deployment: Deployment | Unknown
    monitored: Monitored | Unknown
    members: tuple[Member, ...] | Unknown = ()
    began: datetime | Unknown | None = None
