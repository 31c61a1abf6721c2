"""Whether a resource's policy lets an AWS service in. Stricter than AWS in one way: a condition that isn't known here
never holds, so that a grant which depends on it doesn't count."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """What a service does to a resource, over TLS, on behalf of another one in `account`."""

    service: str
    action: str
    source_arn: str
    account: str

    @property
    def keys(self) -> Mapping[str, str]:
        """The condition keys that are known, in lower case."""
        return {
            "aws:sourcearn": self.source_arn,
            "aws:sourceaccount": self.account,
            "aws:sourceowner": self.account,
            "aws:securetransport": "true",
        }


def admits(policy: Mapping[str, Any] | None, call: ServiceCall) -> bool:
    """Whether the policy allows the call and doesn't deny it."""
    applying = [each["Effect"] for each in _statements(policy) if _applies(each, call)]
    return "Allow" in applying and "Deny" not in applying


def _statements(policy: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    yield from _several((policy or {}).get("Statement"))


def _applies(statement: Mapping[str, Any], call: ServiceCall) -> bool:
    return (
        _names(statement.get("Principal"), call.service)
        and any(fnmatchcase(call.action.lower(), each.lower()) for each in _several(statement.get("Action")))
        and all(_holds(operator, tests, call) for operator, tests in (statement.get("Condition") or {}).items())
    )


def _names(principal: object, service: str) -> bool:
    """An account as principal, even one's own, isn't a service."""
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    return service in _several(principal.get("Service")) or "*" in _several(principal.get("AWS"))


def _holds(operator: str, tests: Mapping[str, Any], call: ServiceCall) -> bool:
    for key, wanted in tests.items():
        found = call.keys.get(key.lower())
        if found is None or operator not in _OPERATORS:
            return False
        if not any(_OPERATORS[operator](found, str(each)) for each in _several(wanted)):
            return False
    return True


def _same(found: str, wanted: str) -> bool:
    return found == wanted


def _same_word(found: str, wanted: str) -> bool:
    return found == wanted.lower()


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": _same,
    "StringLike": fnmatchcase,
    "ArnEquals": fnmatchcase,
    "ArnLike": fnmatchcase,
    "Bool": _same_word,
}


def _several(item: Any) -> list[Any]:
    if item is None:
        return []
    return list(item) if isinstance(item, list | tuple) else [item]
