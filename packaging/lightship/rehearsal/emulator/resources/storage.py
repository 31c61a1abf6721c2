"""What the CDK's bootstrap stack holds besides: the image repository and the version parameter."""

from lightship.rehearsal.emulator.resources.base import ApiResource, Context, Made, Properties, Resource, gone_already


class Repository(Resource):
    type = "AWS::ECR::Repository"

    def create(self, context: Context, properties: Properties) -> Made:
        policy, lifecycle = properties.pop("RepositoryPolicyText", None), properties.pop("LifecyclePolicy", None)
        made = context.call("ecr", "CreateRepository", properties)["repository"]
        name = made["repositoryName"]
        if policy:
            context.call("ecr", "SetRepositoryPolicy", {"repositoryName": name, "policyText": policy})
        if lifecycle:
            text = lifecycle["LifecyclePolicyText"]
            context.call("ecr", "PutLifecyclePolicy", {"repositoryName": name, "lifecyclePolicyText": text})
        return Made(name, {"Arn": made["repositoryArn"], "RepositoryUri": made["repositoryUri"]})

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        del properties
        gone_already(context.aws("ecr").delete_repository, repositoryName=made.id, force=True)


TYPES = (
    Repository(),
    ApiResource(
        type="AWS::SSM::Parameter",
        service="ssm",
        make="PutParameter",
        remove="DeleteParameter",
        id="in.Name",
        key={"Name": "$id"},
        name="Name",
        attributes={"Value": "in.Value", "Type": "in.Type"},
        put=True,
        defaults={"Overwrite": True},
        fixed=frozenset({"Name"}),
    ),
)
