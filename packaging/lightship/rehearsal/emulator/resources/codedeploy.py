"""CodeDeploy: applications, deployment groups, configurations of one's own."""

from lightship.rehearsal.emulator.resources.base import ApiResource

SERVICE = "codedeploy"

TYPES = (
    ApiResource(
        type="AWS::CodeDeploy::Application",
        service=SERVICE,
        make="CreateApplication",
        remove="DeleteApplication",
        id="in.ApplicationName",
        key={"applicationName": "$id"},
        name="ApplicationName",
        name_limit=100,
    ),
    ApiResource(
        type="AWS::CodeDeploy::DeploymentConfig",
        service=SERVICE,
        make="CreateDeploymentConfig",
        remove="DeleteDeploymentConfig",
        id="in.DeploymentConfigName",
        key={"deploymentConfigName": "$id"},
        name="DeploymentConfigName",
        name_limit=100,
    ),
    ApiResource(
        type="AWS::CodeDeploy::DeploymentGroup",
        service=SERVICE,
        make="CreateDeploymentGroup",
        change="UpdateDeploymentGroup",
        remove="DeleteDeploymentGroup",
        id="in.DeploymentGroupName",
        key={"applicationName": "ApplicationName", "deploymentGroupName": "$id"},
        change_key={"applicationName": "ApplicationName", "currentDeploymentGroupName": "$id"},
        name="DeploymentGroupName",
        name_limit=100,
        fixed=frozenset({"ApplicationName", "DeploymentGroupName"}),
    ),
)
