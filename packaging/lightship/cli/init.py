"""`lightship init`."""

from pathlib import Path

import click

from lightship.config import FILE
from lightship.plan import check_name
from lightship_runtime.errors import LightshipError


class ExistingFileError(LightshipError):
    """A file that init would write is there already."""


@click.command("init")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--sample", required=True, type=click.Path(path_type=Path), help="Rows of the model's input.")
@click.option("--name", help="The model's name.  [default: the file's]")
def init_command(model: Path, sample: Path, name: str | None) -> None:
    """Write lightship.toml, app.py and cdk.json for the MODEL you already have."""
    files = {
        FILE: _CONFIG.format(name=check_name(name or model.stem), model=model.as_posix(), sample=sample.as_posix()),
        "app.py": _APP,
        "cdk.json": _CDK,
    }
    for file in files:
        if Path(file).exists():
            raise ExistingFileError(f"{file} is there already. Remove it first, or edit it by hand.")
    for file, text in files.items():
        Path(file).write_text(text)
        click.echo(f"wrote {file}")
    click.echo("Next: lightship package")


_CONFIG = """\
[model]
name = "{name}"
path = "{model}"
sample = "{sample}"

[endpoint]
auth = "iam"
"""

_APP = '''\
"""Composes lightship.toml and the locked release; docs/deploying.md lists what `-c` takes."""

import sys
from dataclasses import asdict
from pathlib import Path

import aws_cdk as cdk

from lightship.config import load_config
from lightship_cdk import LightshipStack, locked_release, synthesise
from lightship_runtime.errors import LightshipError


def main(project: Path) -> None:
    app = cdk.App()
    stage, folder, lock = (app.node.try_get_context(key) for key in ("stage", "release", "lock"))
    for name in [stage] if stage else load_config(project).stages or [None]:
        config = load_config(project, name)
        release = locked_release(project, folder=folder, lock=lock)
        LightshipStack.from_config(app, config.service, asdict(config), release)
    synthesise(app)


if __name__ == "__main__":
    try:
        main(Path.cwd())
    except LightshipError as error:
        sys.exit(f"lightship: {error}")
'''

_CDK = """\
{
  "app": "python app.py",
  "versionReporting": false
}
"""
