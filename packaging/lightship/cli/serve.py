"""`lightship serve`."""

import json
from pathlib import Path

import click

from lightship.cli.output import json_option
from lightship.cli.releases import release_argument
from lightship_runtime.manifest import Release


@click.command("serve")
@release_argument
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any free one.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes that answer.  [default: one a core]")
@click.option(
    "--telemetry",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep telemetry in this folder, for a monitor, and answer POST /feedback into it.",
)
@json_option
def serve_command(release: Path, port: int, workers: int | None, telemetry: Path | None, as_json: bool) -> None:
    """Serve RELEASE's realtime.zip on http://127.0.0.1:PORT until Ctrl-C, as API Gateway and Lambda would.

    The path /dashboard shows live what the function's telemetry says.
    """
    from lightship.page import PATH, Drift, Live, Site
    from lightship.serving import ModelServer, ready_line, serve, unpacked_function
    from lightship.telemetry_folder import TelemetryFolder

    found = Release.read(release)
    live = Live()
    site = Site(
        found.name,
        live,
        Drift(live, release),
        objectives=_objectives(found.name),
        stack=lambda: {} if telemetry is None else _monitored(telemetry),
    )

    keep, pages = _echo, dict(site.pages)
    if telemetry is not None:
        store = TelemetryFolder(telemetry, _echo)
        store.keep_baseline(release, found)
        keep = store.log
        pages["POST", "/feedback"] = store.feedback

    def log(line: str) -> None:
        keep(line)
        live.take(line)

    with unpacked_function(release, found) as function:

        def ready(server: ModelServer) -> None:
            dashboard = f"{server.url}{PATH}"
            if as_json:
                kept = {} if telemetry is None else {"telemetry": str(telemetry)}
                told = {"url": server.url, "workers": len(server.pool.workers), "dashboard": dashboard, **kept}
                click.echo(json.dumps(told))
            else:
                click.echo(f"{ready_line(server, function)} Live numbers: {dashboard}")
                if telemetry is not None:
                    click.echo(f"Telemetry is kept in {telemetry}.")

        serve(function, port=port, workers=workers, log=log, ready=ready, pages=pages, answered=live.answered)


def _echo(line: str) -> None:
    click.echo(line, err=True)


def _monitored(store: Path) -> dict[str, str]:
    """What `lightship monitor` last made of the folder."""
    from lightship.page.monitored import LATEST, monitored_words

    file = store / LATEST
    return monitored_words(file.read_bytes() if file.is_file() else None)


def _objectives(name: str) -> tuple[float, float]:
    """Latency in milliseconds and share of requests answered: those of the project one stands in, if the model is its
    own, or the defaults."""
    from lightship.config import FILE, MonitoringConfig, load_config

    monitoring = MonitoringConfig()
    if Path(FILE).is_file():
        config = load_config(Path())
        monitoring = config.monitoring if config.model.name == name else monitoring
    return monitoring.latency_ms, monitoring.availability
