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
    help="Keep telemetry in this folder, for a monitor.",
)
@json_option
def serve_command(release: Path, port: int, workers: int | None, telemetry: Path | None, as_json: bool) -> None:
    """Serve RELEASE's realtime.zip on http://127.0.0.1:PORT until Ctrl-C, as API Gateway and Lambda would."""
    from lightship.serving import ModelServer, ready_line, serve, unpacked_function
    from lightship.telemetry_folder import TelemetryFolder

    found = Release.read(release)
    log = _log
    if telemetry is not None:
        store = TelemetryFolder(telemetry, _log)
        store.keep_baseline(release, found)
        log = store.log
    with unpacked_function(release, found) as function:

        def ready(server: ModelServer) -> None:
            if as_json:
                kept = {} if telemetry is None else {"telemetry": str(telemetry)}
                click.echo(json.dumps({"url": server.url, "workers": len(server.pool.workers), **kept}))
            else:
                click.echo(ready_line(server, function))
                if telemetry is not None:
                    click.echo(f"Telemetry is kept in {telemetry}.")

        serve(function, port=port, workers=workers, log=log, ready=ready)


def _log(line: str) -> None:
    click.echo(line, err=True)
