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
@json_option
def serve_command(release: Path, port: int, workers: int | None, as_json: bool) -> None:
    """Serve RELEASE's realtime.zip on http://127.0.0.1:PORT until Ctrl-C, as API Gateway and Lambda would."""
    from lightship.serving import ModelServer, ready_line, serve, unpacked_function

    found = Release.read(release)
    with unpacked_function(release, found) as function:

        def ready(server: ModelServer) -> None:
            if as_json:
                click.echo(json.dumps({"url": server.url, "workers": len(server.pool.workers)}))
            else:
                click.echo(ready_line(server, function))

        serve(function, port=port, workers=workers, log=lambda line: click.echo(line, err=True), ready=ready)
