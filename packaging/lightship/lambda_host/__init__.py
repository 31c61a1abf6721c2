"""Boots an unzipped artifact as AWS Lambda boots it: target Python, AWS's runtime client, Lambda's variables only."""

from lightship.lambda_host.artifact import BadZipError, remove_tree, tree_digest, unpack, unpacked
from lightship.lambda_host.function import Credentials, Function, ReservedVariableError
from lightship.lambda_host.interpreter import MissingToolError, find_uv, python_for
from lightship.lambda_host.worker import InitError, Invocation, PayloadTooLargeError, Worker

__all__ = [
    "BadZipError",
    "Credentials",
    "Function",
    "InitError",
    "Invocation",
    "MissingToolError",
    "PayloadTooLargeError",
    "ReservedVariableError",
    "Worker",
    "find_uv",
    "python_for",
    "remove_tree",
    "tree_digest",
    "unpack",
    "unpacked",
]
