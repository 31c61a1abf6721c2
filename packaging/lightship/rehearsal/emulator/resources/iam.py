"""IAM: roles, their inline policies, managed policies."""

import json
from collections.abc import Iterable

from lightship.rehearsal.emulator.resources.base import Context, Made, Properties, Resource, gone_already, tag_list


class Role(Resource):
    type = "AWS::IAM::Role"

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.setdefault("RoleName", context.generated_name(64))
        policies, managed = properties.pop("Policies", []), properties.pop("ManagedPolicyArns", [])
        role = context.call("iam", "CreateRole", properties)["Role"]
        self._grant(context, name, policies, managed)
        return Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        iam = context.aws("iam")
        document = json.dumps(properties["AssumeRolePolicyDocument"])
        iam.update_assume_role_policy(RoleName=made.id, PolicyDocument=document)
        for policy in before.get("Policies", []):
            gone_already(iam.delete_role_policy, RoleName=made.id, PolicyName=policy["PolicyName"])
        for arn in set(before.get("ManagedPolicyArns", [])) - set(properties.get("ManagedPolicyArns", [])):
            iam.detach_role_policy(RoleName=made.id, PolicyArn=arn)
        self._grant(context, made.id, properties.get("Policies", []), properties.get("ManagedPolicyArns", []))
        if "MaxSessionDuration" in properties or "Description" in properties:
            known: Properties = {name: properties.get(name) for name in ("Description", "MaxSessionDuration")}
            known = {name: item for name, item in known.items() if item is not None}
            context.call("iam", "UpdateRole", {"RoleName": made.id, **known})
        if tags := tag_list(properties):
            iam.tag_role(RoleName=made.id, Tags=tags)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        iam = context.aws("iam")
        for arn in properties.get("ManagedPolicyArns", []):
            gone_already(iam.detach_role_policy, RoleName=made.id, PolicyArn=arn)
        for policy in properties.get("Policies", []):
            gone_already(iam.delete_role_policy, RoleName=made.id, PolicyName=policy["PolicyName"])
        gone_already(iam.delete_role, RoleName=made.id)

    def _grant(self, context: Context, name: str, policies: Iterable[Properties], managed: Iterable[str]) -> None:
        iam = context.aws("iam")
        for policy in policies:
            document = json.dumps(policy["PolicyDocument"])
            iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)
        for arn in managed:
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)


class InlinePolicy(Resource):
    """A policy that is put into roles. Users and groups aren't emulated."""

    type = "AWS::IAM::Policy"

    def create(self, context: Context, properties: Properties) -> Made:
        for role in properties["Roles"]:
            context.call("iam", "PutRolePolicy", {"RoleName": role, **_named(properties)})
        return Made(properties["PolicyName"])

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        for role in set(before["Roles"]) - set(properties["Roles"]):
            self._remove(context, role, before)
        del made
        return self.create(context, properties)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del made
        for role in properties["Roles"]:
            self._remove(context, role, properties)

    def _remove(self, context: Context, role: str, properties: Properties) -> None:
        name = properties["PolicyName"]
        gone_already(context.aws("iam").delete_role_policy, RoleName=role, PolicyName=name)


class ManagedPolicy(Resource):
    type = "AWS::IAM::ManagedPolicy"

    def create(self, context: Context, properties: Properties) -> Made:
        roles = properties.pop("Roles", [])
        properties["PolicyName"] = properties.pop("ManagedPolicyName", None) or context.generated_name(128)
        arn = context.call("iam", "CreatePolicy", properties)["Policy"]["Arn"]
        for role in roles:
            context.aws("iam").attach_role_policy(RoleName=role, PolicyArn=arn)
        return Made(arn, {"PolicyArn": arn})

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        iam = context.aws("iam")
        for role in properties.get("Roles", []):
            gone_already(iam.detach_role_policy, RoleName=role, PolicyArn=made.id)
        gone_already(iam.delete_policy, PolicyArn=made.id)


def _named(properties: Properties) -> Properties:
    return {name: properties[name] for name in ("PolicyName", "PolicyDocument")}


TYPES = (Role(), InlinePolicy(), ManagedPolicy())
