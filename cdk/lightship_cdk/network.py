"""The VPC of the functions that see rows: those that predict, score batches, watch, and take labels.

Of AWS they call S3 alone, or nothing. The others call Lambda, CodeDeploy, CloudWatch and SNS, which a private subnet
seldom reaches, and neither a rollback nor a page may hang on its routes: they run outside.
"""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from lightship_cdk.roles import allow
from lightship_cdk.settings import Network

ANY_INTERFACE = "EC2 has no resource to name for the network interfaces that Lambda makes."
ROUTES = "@aws-cdk/aws-ec2:noSubnetRouteTableId"
VPC_ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where functions run, as the CDK wants to hear it; all None outside of any VPC."""

    vpc: ec2.IVpc | None = None
    subnets: ec2.SubnetSelection | None = None
    security_groups: list[ec2.ISecurityGroup] | None = None


def place_in(scope: Construct, network: Network | None) -> Place:
    """The place that the ids name. Once a scope."""
    if network is None:
        return Place()
    # The zones are never used: the subnets are named one by one.
    vpc = ec2.Vpc.from_vpc_attributes(scope, "Vpc", vpc_id=network.vpc_id, availability_zones=["unused"])
    subnets = [ec2.Subnet.from_subnet_id(scope, f"Subnet{i}", name) for i, name in enumerate(network.subnet_ids)]
    for subnet in subnets:
        cdk.Annotations.of(subnet).acknowledge_warning(ROUTES, "Nothing here reads a subnet's routes.")
    groups = [
        ec2.SecurityGroup.from_security_group_id(scope, f"SecurityGroup{i}", name, mutable=False)
        for i, name in enumerate(network.security_group_ids)
    ]
    return Place(vpc, ec2.SubnetSelection(subnets=subnets), groups)


def allow_network(network: Network | None) -> list[iam.PolicyStatement]:
    """What Lambda wants of a function's role there. Such a role's statement over any resource is to be accepted for
    ANY_INTERFACE."""
    return [allow(VPC_ACTIONS, "*")] if network else []
