"""The hook's code: the runtime modules it imports and the release's golden rows, which stay out of realtime.zip."""

import shutil
from pathlib import Path

import aws_cdk as cdk
import jsii
from aws_cdk import aws_lambda as lambda_

import lightship_runtime
from lightship_cdk.releases import PackagedRelease
from lightship_runtime.manifest import CONTRACT, GOLDEN

HANDLER = "lightship_runtime.hook.handler"
MODULES = ("__init__", "contract", "documents", "errors", "golden", "hook", "replay")
RUNTIME_FOLDER = Path(lightship_runtime.__file__).parent


def hook_code(release: PackagedRelease) -> lambda_.AssetCode:
    """An asset that the CDK stages from the release folder and the installed runtime."""
    bundling = cdk.BundlingOptions(
        local=_HookFiles(release.folder),
        # Never started: copying files needs no container.
        image=cdk.DockerImage.from_registry("public.ecr.aws/lambda/python:3.13"),
    )
    return lambda_.Code.from_asset(
        str(release.folder), bundling=bundling, asset_hash_type=cdk.AssetHashType.OUTPUT, display_name="Hook"
    )


@jsii.implements(cdk.ILocalBundling)
class _HookFiles:
    """Copies the files into the folder that the CDK stages."""

    def __init__(self, release_folder: Path) -> None:
        self._release_folder = release_folder

    def try_bundle(self, output_dir: str, *_options: object, **_named: object) -> bool:
        copy_files(self._release_folder, Path(output_dir))
        return True


def copy_files(release_folder: Path, target: Path) -> None:
    """What the hook needs, laid out as Lambda unpacks it."""
    package = target / lightship_runtime.__name__
    package.mkdir()
    for name in MODULES:
        shutil.copyfile(RUNTIME_FOLDER / f"{name}.py", package / f"{name}.py")
    for name in (CONTRACT, GOLDEN):
        shutil.copyfile(release_folder / name, target / name)
