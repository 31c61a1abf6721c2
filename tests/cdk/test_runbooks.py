"""Runbooks and dashboards: in step with the table, complete, and naming commands that exist."""

import json
from pathlib import Path
from typing import Any

import click
import pytest

from lightship.cli.main import cli
from lightship_cdk.alarm_table import ALARMS, COMPOSITES, ROWS, CompositeRow, Row
from lightship_cdk.graphs import GRAPHS
from lightship_cdk.runbooks import page, pages, rows_there, with_table

DOCS = Path(__file__).parents[2] / "docs"
DASHBOARD = "AWS::CloudWatch::Dashboard"
AGAIN = "Run `python -m lightship_cdk.runbooks`."


def test_the_pages_in_docs_are_the_tables_own() -> None:
    made = pages()
    kept = {file.name: file.read_text(encoding="utf-8") for file in (DOCS / "runbooks").glob("*.md")}
    assert set(made) == set(kept), AGAIN
    assert [name for name, text in made.items() if kept[name] != text] == [], AGAIN


def test_the_table_in_docs_is_the_tables_own() -> None:
    text = (DOCS / "alarms.md").read_text(encoding="utf-8")
    assert with_table(text) == text, AGAIN
    assert all(f"[{row.title}](runbooks/{row.title}.md)" in text for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_page_says_everything_and_has_no_unfilled_field(row: Row) -> None:
    text = page(row, " --stage prod")
    for part in (
        row.meaning,
        row.causes,
        row.first_steps,
        "## When it sounds",
        "lightship rollback --stage prod --now",
    ):
        assert part in text
    assert "{options}" not in text
    assert "{latency_ms}" not in text
    if row.query:
        assert row.query in text
    for member in row.members if isinstance(row, CompositeRow) else ():
        assert f"({next(each.title for each in ALARMS if each.id == member)}.md)" in text


def test_every_command_in_the_table_exists() -> None:
    written = {command for row in ROWS for command in row.commands if command.startswith("lightship")}
    for command in written:
        place: click.Command = cli
        for word in command.replace("{options}", "").split()[1:]:
            if word.startswith("-"):
                assert any(word in option.opts for option in place.params) or word == "--help", command
            else:
                assert isinstance(place, click.Group)
                assert word in place.commands, command
                place = place.commands[word]
        assert not any(each.required for each in place.params), command
        assert "{options}" not in command or any("--stage" in option.opts for option in place.params), command


def body_of(stack: Any, name: str) -> dict[str, Any]:
    (found,) = [
        each["Properties"] for each in stack.of_type(DASHBOARD).values() if each["Properties"]["DashboardName"] == name
    ]
    body = found["DashboardBody"]
    parts = body["Fn::Join"][1] if isinstance(body, dict) else [body]
    text = "".join(part if isinstance(part, str) else str(next(iter(part.values()))[0:40]) for part in parts)
    return dict(json.loads(text.replace("['", "").replace("', 'Arn']", "")))


def test_the_dashboard_begins_with_the_alarms_that_speak(closed: Any) -> None:
    widgets = body_of(closed, "flights")["widgets"]
    assert [each["type"] for each in widgets[:3]] == ["alarm", "alarm", "metric"]
    first = list(widgets[0]["properties"]["alarms"])
    there = [row.id for row in COMPOSITES if row.part != "batch"]
    assert [id_ in name for id_, name in zip(there, first, strict=False)] == [True] * len(there)


def test_the_dashboard_draws_every_graph_of_what_is_there(closed: Any) -> None:
    widgets = body_of(closed, "flights")["widgets"]
    titles = {each["properties"]["title"] for each in widgets if each["type"] == "metric"}
    assert titles == {graph.title for graph in GRAPHS if graph.part != "batch"} | {"Deployments: requests by version"}
    (latency,) = [each for each in widgets if each["properties"]["title"] == "Latency, ms"]
    assert latency["properties"]["annotations"]["horizontal"] == [
        {"value": 500, "label": "objective of p90", "yAxis": "left"}
    ]
    metrics = sum(len(each["properties"].get("metrics", ())) for each in widgets)
    # More are not free of charge even where the account has fewer than three dashboards.
    assert metrics <= 50


def test_what_alarms_link_to_holds_their_pages(closed: Any) -> None:
    texts = [each["properties"]["markdown"] for each in body_of(closed, "flights-runbooks")["widgets"]]
    there = {"endpoint", "traffic", "rollout", "monitor", "feedback", "notifier"}
    assert [text.splitlines()[0] for text in texts] == [f"## {row.title}" for row in rows_there(there)]  # type: ignore[arg-type]
    assert not any("](" in text for text in texts)
