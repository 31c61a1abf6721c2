"""Entry point: the group of commands, and how errors leave it."""

import sys
from importlib.metadata import version

import click

from lightship.cli import (
    baseline,
    batch,
    drill,
    init,
    monitor,
    mute,
    operate,
    package,
    rehearse,
    releases,
    releases_elsewhere,
    serve,
)
from lightship_runtime.errors import LightshipError

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("lightship"), prog_name="lightship")
def cli() -> None:
    """Take a trained model from a notebook to production on AWS Lambda."""


for command in (
    init.init_command,
    package.package_command,
    package.check_command,
    releases.inspect_command,
    releases.prove_command,
    serve.serve_command,
    baseline.baseline_group,
    batch.batch_group,
    rehearse.rehearse_command,
    drill.drill_command,
    operate.deploy_command,
    operate.status_command,
    operate.rollback_command,
    operate.destroy_command,
    operate.prune_command,
    mute.mute_command,
    mute.unmute_command,
    releases_elsewhere.call_command,
    monitor.feedback_command,
    monitor.monitor_command,
    monitor.report_command,
    monitor.forget_command,
    releases_elsewhere.push_command,
    releases_elsewhere.pull_command,
):
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Run one command: exit code 0, 1 with a single error on stderr, 2 for wrong usage, 130 when interrupted."""
    try:
        sys.exit(cli.main(arguments, prog_name="lightship", standalone_mode=False) or 0)
    except LightshipError as error:
        _fail(str(error), 1)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        _fail(error.format_message(), 1)
    except (click.Abort, KeyboardInterrupt):
        _fail("Interrupted; nothing half-made is left behind.", INTERRUPTED)


def _fail(text: str, code: int) -> None:
    click.echo(f"Error: {text}", err=True)
    sys.exit(code)
