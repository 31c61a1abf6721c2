"""boto3 clients of the emulator's own endpoint."""

from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

ACCOUNT = "123456789012"
REGION = "us-east-1"


@dataclass(frozen=True)
class Clients:
    """Makes clients for one account and region, each once. They don't retry: an error of the emulation is an error."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    account: str = ACCOUNT
    region: str = REGION
    _made: dict[str, Any] = field(default_factory=dict, repr=False)

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            session = boto3.session.Session(
                aws_access_key_id=self.access_key_id,
                aws_secret_access_key=self.secret_access_key,
                region_name=self.region,
            )
            config = Config(
                retries={"max_attempts": 0},
                read_timeout=920,
                max_pool_connections=32,
                s3={"addressing_style": "path"},
                ignore_configured_endpoint_urls=True,
                proxies={},
            )
            self._made[service] = session.client(service, endpoint_url=self.endpoint_url, config=config)
        return self._made[service]

    def create_bucket(self, name: str) -> None:
        """A bucket in this region: S3 wants to be told every region but its first one."""
        where = {} if self.region == REGION else {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        self("s3").create_bucket(Bucket=name, **where)
