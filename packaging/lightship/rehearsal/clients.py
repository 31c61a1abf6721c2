"""boto3 clients that speak to a rehearsal's AWS and to no other."""

from typing import Any

from lightship.rehearsal.aws import EmulatedAws
from lightship.rehearsal.emulator.clients import Clients


def clients_of(aws: EmulatedAws) -> Clients:
    """Call it with a service's name."""
    credentials = aws.credentials
    return Clients(aws.endpoint_url, credentials.access_key_id, credentials.secret_access_key, aws.account, aws.region)


def stack_outputs(clients: Clients, stack: str) -> dict[str, str]:
    """The outputs of a stack by their keys."""
    outputs = clients("cloudformation").describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def stack_resources(clients: Clients, stack: str) -> dict[str, list[str]]:
    """The physical ids of a stack's resources by their type."""
    pages: Any = clients("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    by_type: dict[str, list[str]] = {}
    for page in pages:
        for resource in page["StackResourceSummaries"]:
            by_type.setdefault(resource["ResourceType"], []).append(resource["PhysicalResourceId"])
    return by_type
