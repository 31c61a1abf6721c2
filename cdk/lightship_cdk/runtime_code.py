"""The code of the small functions beside the predicting one: the runtime modules each imports, and nothing else.

The hook's has the release's golden rows too, which stay out of realtime.zip.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aws_cdk as cdk
import jsii
from aws_cdk import aws_lambda as lambda_

import lightship_runtime
from lightship_cdk.releases import PackagedRelease
from lightship_runtime.manifest import CONTRACT, GOLDEN

RUNTIME_FOLDER = Path(lightship_runtime.__file__).parent


@dataclass(frozen=True, slots=True)
class RuntimeCode:
    """What a function is made of: runtime modules, and beside them files of the release and `texts` by file name."""

    handler: str
    modules: tuple[str, ...]
    release_files: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict[str, str])

    def copy(self, release_folder: Path, target: Path) -> None:
        """Lay the files out as Lambda unpacks them."""
        package = target / lightship_runtime.__name__
        package.mkdir()
        for name in self.modules:
            (package / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(RUNTIME_FOLDER / f"{name}.py", package / f"{name}.py")
        for name in self.release_files:
            shutil.copyfile(release_folder / name, target / name)
        for name, text in self.texts.items():
            (target / name).write_text(text, encoding="utf-8")

    def asset(self, release: PackagedRelease, name: str) -> lambda_.AssetCode:
        """An asset that the CDK stages from the release folder and the installed runtime."""
        bundling = cdk.BundlingOptions(
            local=_Files(self, release.folder),
            # Never started: copying files needs no container. The CDK takes bundles of the same folder with equal
            # options for one and the same; the handler's name tells them apart.
            image=cdk.DockerImage.from_registry("public.ecr.aws/lambda/python:3.13"),
            command=[self.handler],
        )
        return lambda_.Code.from_asset(
            str(release.folder), bundling=bundling, asset_hash_type=cdk.AssetHashType.OUTPUT, display_name=name
        )


HOOK = RuntimeCode(
    handler="lightship_runtime.hook.handler",
    modules=("__init__", "contract", "documents", "errors", "golden", "hook", "replay", "telemetry"),
    release_files=(CONTRACT, GOLDEN),
)
COMPARE = RuntimeCode(
    handler="lightship_runtime.compare.handler", modules=("__init__", "compare", "sampling", "telemetry")
)
FEEDBACK = RuntimeCode(
    handler="lightship_runtime.feedback.handler",
    modules=(
        "__init__", "errors", "events", "feedback", "identifiers", "labels", "problems", "strict_json", "telemetry"
    ),
)  # fmt: skip


@jsii.implements(cdk.ILocalBundling)
class _Files:
    """Copies the files into the folder that the CDK stages."""

    def __init__(self, code: RuntimeCode, release_folder: Path) -> None:
        self._code = code
        self._release_folder = release_folder

    def try_bundle(self, output_dir: str, *_options: object, **_named: object) -> bool:
        self._code.copy(self._release_folder, Path(output_dir))
        return True
