"""What a template lets whom do. Compared between two templates it tells what a deployment would widen or open."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from lightship.operate.wording import label, text_of

type Template = Mapping[str, Any]
type Statement = Mapping[str, Any]

# Resources that carry a policy of their own: the property that holds it.
RESOURCE_POLICIES = {
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
}
NEGATIONS = frozenset({"NotAction", "NotResource", "NotPrincipal"})


@dataclass(frozen=True, slots=True)
class Grant:
    """One action, on one resource, by one principal. `key` is what it is compared by; a denial widens by going.

    In words: `who` `verb` `action` `where`.
    """

    key: str
    who: str
    verb: str
    action: str
    where: str = ""
    allows: bool = True

    def __str__(self) -> str:
        return " ".join(part for part in (self.who, self.verb, self.action, self.where) if part)


def widened(old: Template, new: Template) -> tuple[Grant, ...]:
    """What the new template allows beyond the old one, denials and boundaries that go included."""
    before, after = _grants(old), _grants(new)
    added = [grant for key, grant in after.items() if grant.allows and key not in before]
    lifted = [
        replace(grant, verb=f"no longer {grant.verb}")
        for key, grant in before.items()
        if not grant.allows and key not in after and _still_there(grant, new)
    ]
    return (*added, *lifted)


def opened(old: Template, new: Template) -> tuple[str, ...]:
    """In which ways the new template lets more callers in than the old one."""
    before = set(_doors(old))
    return tuple(dict.fromkeys(door for door in _doors(new) if door not in before))


def _grants(template: Template) -> dict[str, Grant]:
    return {grant.key: grant for grant in _every_grant(template)}


def _every_grant(template: Template) -> Iterator[Grant]:
    for name, resource in template.get("Resources", {}).items():
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind == "AWS::IAM::Role":
            yield from _role(name, properties, template)
        elif kind in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}:
            for holder in _holders(name, properties):
                yield from _document(holder, properties["PolicyDocument"], template)
        elif kind == "AWS::Lambda::Permission":
            yield _permission(properties, template)
        elif kind in RESOURCE_POLICIES:
            yield from _document(name, properties[RESOURCE_POLICIES[kind]], template)


def _role(name: str, properties: Mapping[str, Any], template: Template) -> Iterator[Grant]:
    who = label(name, template)
    for statement in _listed(properties["AssumeRolePolicyDocument"]["Statement"]):
        key = _key("trust", name, statement, template)
        principal = text_of(_principal(statement), template)
        yield Grant(key, who, "may be assumed by", principal, allows=statement["Effect"] == "Allow")
    for policy in properties.get("Policies", ()):
        yield from _document(name, policy["PolicyDocument"], template)
    for policy in properties.get("ManagedPolicyArns", ()):
        yield Grant(_key("managed", name, policy, template), who, "has the policy", text_of(policy, template))
    if boundary := properties.get("PermissionsBoundary"):
        key = _key("boundary", name, boundary, template)
        yield Grant(key, who, "bounded by", text_of(boundary, template), allows=False)


def _holders(name: str, properties: Mapping[str, Any]) -> list[str]:
    """The logical ids of a policy's roles, so that a statement may move between policies of one role."""
    attached = [*properties.get("Roles", ()), *properties.get("Users", ()), *properties.get("Groups", ())]
    return [each["Ref"] if isinstance(each, dict) and "Ref" in each else str(each) for each in attached] or [name]


def _document(holder: str, document: Mapping[str, Any], template: Template) -> Iterator[Grant]:
    for statement in _listed(document["Statement"]):
        yield from _statement(holder, statement, template)


def _statement(holder: str, statement: Statement, template: Template) -> Iterator[Grant]:
    """A grant for each action and resource; a statement that negates stays whole, since it can't be taken apart."""
    allows = statement["Effect"] == "Allow"
    verb = "may" if allows else "denied"
    condition = statement.get("Condition")
    provided = " under conditions" if condition else ""
    if NEGATIONS & statement.keys():
        whole = {key: each for key, each in statement.items() if key != "Sid"}
        key = _key("whole", holder, whole, template)
        yield Grant(key, label(holder, template), verb, text_of(whole, template), allows=allows)
        return
    principal = _principal(statement)
    by = f" by {text_of(principal, template)}" if principal else ""
    for action, resource in product(_listed(statement["Action"]), _listed(statement.get("Resource", "*"))):
        key = _key(verb, holder, [action, resource, principal, condition], template)
        where = f"on {text_of(resource, template)}{by}{provided}"
        yield Grant(key, label(holder, template), verb, str(action), where, allows)


def _permission(properties: Mapping[str, Any], template: Template) -> Grant:
    who = text_of(properties["Principal"], template)
    function = text_of(properties["FunctionName"], template)
    source = f" for {text_of(properties['SourceArn'], template)}" if "SourceArn" in properties else ""
    key = _key("invoke", "", properties, template)
    return Grant(key, who, "may", str(properties["Action"]), f"on {function}{source}")


def _principal(statement: Statement) -> Any:
    principal = statement.get("Principal")
    return next(iter(principal.values())) if isinstance(principal, dict) and len(principal) == 1 else principal


def _doors(template: Template) -> Iterator[str]:
    """In which ways callers get in without AWS credentials or a token, and which pages may call."""
    for resource in template.get("Resources", {}).values():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::ApiGatewayV2::Route" if properties.get("AuthorizationType", "NONE") == "NONE":
                yield "Anybody who knows the address may call the endpoint (auth = none)."
            case "AWS::ApiGateway::Method" if properties.get("AuthorizationType", "NONE") == "NONE":
                yield _rest_door(properties)
            case "AWS::ApiGatewayV2::Api":
                for origin in properties.get("CorsConfiguration", {}).get("AllowOrigins", ()):
                    yield f"Web pages of {origin} may call the endpoint (CORS)."
            case "AWS::Lambda::Url" if properties.get("AuthType") == "NONE":
                yield "Anybody who knows the address may invoke the function (function URL)."


def _rest_door(properties: Mapping[str, Any]) -> str:
    if properties.get("HttpMethod") == "OPTIONS":
        return "Web pages may ask whether they may call the endpoint (CORS)."
    if properties.get("ApiKeyRequired"):
        return "Anybody who has a key may call the endpoint; a key doesn't authenticate (auth = api_key)."
    return "Anybody who knows the address may call the endpoint (auth = none)."


def _still_there(grant: Grant, template: Template) -> bool:
    """Whether what was denied something is still deployed: a role that goes can do nothing."""
    holder = json.loads(grant.key)[1]
    return holder in template.get("Resources", {})


def _key(kind: str, holder: str, value: Any, template: Template) -> str:
    return json.dumps([kind, holder, _lasting(value, template)], sort_keys=True)


def _lasting(value: Any, template: Template) -> Any:
    """The value with `version of its function` for each Lambda version: every release has another logical id."""
    match value:
        case {"Ref": str(name)}:
            resource = template.get("Resources", {}).get(name, {})
            if resource.get("Type") == "AWS::Lambda::Version":
                return {"version of": _lasting(resource["Properties"]["FunctionName"], template)}
            return value
        case dict():
            return {key: _lasting(each, template) for key, each in value.items() if key != "Sid"}
        case list():
            return [_lasting(each, template) for each in value]
    return value


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
