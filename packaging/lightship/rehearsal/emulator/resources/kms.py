"""KMS: keys and their aliases."""

import json

from lightship.rehearsal.emulator.resources.base import ApiResource, Context, Made, Properties, Resource, tag_list

DELETION_DAYS = 7


class Key(Resource):
    type = "AWS::KMS::Key"

    def create(self, context: Context, properties: Properties) -> Made:
        kms = context.aws("kms")
        rotation = str(properties.pop("EnableKeyRotation", False)).lower() == "true"
        enabled = str(properties.pop("Enabled", True)).lower() == "true"
        self._days(properties)
        properties["Policy"] = properties.pop("KeyPolicy")
        properties["Tags"] = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in tag_list(properties)]
        key = context.call("kms", "CreateKey", properties)["KeyMetadata"]
        if rotation:
            kms.enable_key_rotation(KeyId=key["KeyId"])
        if not enabled:
            kms.disable_key(KeyId=key["KeyId"])
        return Made(key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]})

    def update(self, context: Context, made: Made, properties: Properties, before: Properties) -> Made:
        del before
        kms = context.aws("kms")
        kms.put_key_policy(KeyId=made.id, PolicyName="default", Policy=json.dumps(properties["KeyPolicy"]))
        if str(properties.get("EnableKeyRotation", False)).lower() == "true":
            kms.enable_key_rotation(KeyId=made.id)
        else:
            kms.disable_key_rotation(KeyId=made.id)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        days = self._days(properties)
        context.aws("kms").schedule_key_deletion(KeyId=made.id, PendingWindowInDays=days)

    def _days(self, properties: Properties) -> int:
        return int(properties.pop("PendingWindowInDays", DELETION_DAYS))


TYPES = (
    Key(),
    ApiResource(
        type="AWS::KMS::Alias",
        service="kms",
        make="CreateAlias",
        change="UpdateAlias",
        remove="DeleteAlias",
        id="in.AliasName",
        key={"AliasName": "$id"},
        fixed=frozenset({"AliasName"}),
    ),
)
