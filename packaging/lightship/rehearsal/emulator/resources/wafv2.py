"""The web application firewall: kept and read back, but nothing is filtered by it."""

from lightship.rehearsal.emulator.resources.base import (
    Context,
    Made,
    Properties,
    ReplaceInsteadError,
    Resource,
    gone_already,
)


class WebAcl(Resource):
    type = "AWS::WAFv2::WebACL"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.setdefault("Name", context.generated_name(128))
        summary = context.call("wafv2", "CreateWebACL", properties)["Summary"]
        return Made(f"{name}|{summary['Id']}|{properties['Scope']}", {"Arn": summary["ARN"], "Id": summary["Id"]})

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        if any(properties.get(name) != before.get(name) for name in ("Name", "Scope")):
            raise ReplaceInsteadError
        properties.pop("Tags", None)
        context.call("wafv2", "UpdateWebACL", {**properties, **self._key(context, made)})
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("wafv2").delete_web_acl, **self._key(context, made))

    def _key(self, context: Context, made: Made) -> Properties:
        name, identifier, scope = made.id.split("|")
        key = {"Name": name, "Id": identifier, "Scope": scope}
        return {**key, "LockToken": context.aws("wafv2").get_web_acl(**key)["LockToken"]}


class Association(Resource):
    type = "AWS::WAFv2::WebACLAssociation"

    def create(self, context: Context, properties: Properties) -> Made:
        context.call("wafv2", "AssociateWebACL", properties)
        return Made(f"{properties['WebACLArn']}|{properties['ResourceArn']}")

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del made
        resource = properties["ResourceArn"]
        gone_already(context.aws("wafv2").disassociate_web_acl, ResourceArn=resource)


TYPES = (WebAcl(), Association())
