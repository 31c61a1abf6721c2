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
