"""Opens the monitoring store that an address names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightship_runtime.batch.s3 import S3Store
from lightship_runtime.batch.stores import LocalStore, Store

S3 = "s3://"


def open_store(address: str, client: Callable[[], Any]) -> Store:
    """`s3://bucket`, `s3://bucket/prefix` or a folder. `client` makes the S3 client, where one is needed."""
    if not address.startswith(S3):
        return LocalStore(Path(address))
    bucket, _, prefix = address.removeprefix(S3).partition("/")
    return S3Store(client(), bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else "")
