"""What the project's app synthesises, and a copy of it that only sets the alias in CloudFormation's books right."""

import copy
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightship.operate.aws import OperateError
from lightship.operate.stacks import DeployedStack

type Template = Mapping[str, Any]


@dataclass(frozen=True)
class Assembly:
    """A folder that the CDK deploys from, with one stack's template."""

    folder: Path
    stack: str

    @property
    def template(self) -> Template:
        template: Template = json.loads(self._file("template").read_text(encoding="utf-8"))
        return template

    def with_template(self, template: Template, out: Path) -> "Assembly":
        """A copy in the new folder `out` that deploys another template and uploads nothing else."""
        out.mkdir()
        manifest = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
        assets_id = f"{self.stack}.assets"
        manifest["artifacts"] = {name: manifest["artifacts"][name] for name in (self.stack, assets_id)}
        manifest["artifacts"][self.stack].pop("additionalMetadataFile", None)
        manifest["artifacts"][self.stack].pop("metadata", None)
        assets = json.loads(self._file("assets").read_text(encoding="utf-8"))
        text = json.dumps(template, indent=1)
        old = _template_hash(manifest["artifacts"][self.stack])
        new = hashlib.sha256(text.encode()).hexdigest()
        assets["files"] = {old: assets["files"][old]}
        copied = Assembly(out, self.stack)
        (out / "cdk.out").write_bytes((self.folder / "cdk.out").read_bytes())
        (out / "manifest.json").write_text(json.dumps(manifest).replace(old, new))
        copied._file("assets").write_text(json.dumps(assets).replace(old, new))
        copied._file("template").write_text(text)
        return copied

    def _file(self, kind: str) -> Path:
        return self.folder / f"{self.stack}.{kind}.json"


def pointing_to(stack: DeployedStack, version: int) -> Template:
    """The deployed template with its alias at a version of Lambda's, which CloudFormation sets without CodeDeploy.

    CodeDeploy refuses to move an alias that isn't where CloudFormation believes it is
    (https://github.com/aws/serverless-application-model/issues/291).
    """
    template: dict[str, Any] = copy.deepcopy(dict(stack.template))
    for alias in stack.of_type("AWS::Lambda::Alias"):
        if alias.physical == stack.output("LiveAlias"):
            resource = template["Resources"][alias.logical]
            resource["Properties"]["FunctionVersion"] = str(version)
            resource.pop("UpdatePolicy", None)
            return template
    raise OperateError(
        f"The stack {stack.name} doesn't hold the alias {stack.output('LiveAlias')}. Look at its events."
    )


def _template_hash(artifact: Mapping[str, Any]) -> str:
    url = artifact["properties"]["stackTemplateAssetObjectUrl"]
    found = re.search(r"([0-9a-f]{64})\.json$", url)
    if found is None:
        raise OperateError(f"The CDK's assembly names its template {url!r}; expected a digest. Update the CDK to 2.x.")
    return found[1]
