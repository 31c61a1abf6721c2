"""AWS Signature Version 4: checked on what arrives, put on what is sent.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lightship.gateway import HttpRequest
from lightship.rehearsal.aws import RunCredentials

SERVICE = "execute-api"
SKEW = timedelta(minutes=5)
HEADER = re.compile(
    r"^AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, *"
    r"SignedHeaders=(?P<headers>[^,]+), *Signature=(?P<signature>[0-9a-f]{64})$"
)


def is_signed(request: HttpRequest, credentials: RunCredentials, region: str, now: datetime | None = None) -> bool:
    """Whether the request carries a valid, recent signature made with these credentials for this region."""
    found = HEADER.match(request.header("authorization") or "")
    stamp = request.header("x-amz-date") or ""
    if not found or found["key"] != credentials.access_key_id:
        return False
    if (found["region"], found["service"], found["date"]) != (region, SERVICE, stamp[:8]):
        return False
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    names = found["headers"].split(";")
    if "host" not in names or abs((now or datetime.now(UTC)) - signed_at) > SKEW:
        return False
    expected = _signature(request, names, stamp, credentials, region)
    return hmac.compare_digest(expected, found["signature"])


def sign(
    method: str, url: str, body: bytes, credentials: RunCredentials, region: str, headers: Mapping[str, str]
) -> dict[str, str]:
    """The headers of a signed request."""
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
    _signer(credentials, region).add_auth(request)
    return dict(request.headers.items())


def _signature(request: HttpRequest, names: list[str], stamp: str, credentials: RunCredentials, region: str) -> str:
    host = request.header("host") or ""
    url = f"{request.scheme}://{host}{request.path}" + (f"?{request.query}" if request.query else "")
    headers = {name: request.header(name) or "" for name in names}
    rebuilt = AWSRequest(method=request.method, url=url, data=request.body, headers=headers)
    rebuilt.context["timestamp"] = stamp
    signer = _signer(credentials, region)
    text = signer.string_to_sign(rebuilt, signer.canonical_request(rebuilt))
    return str(signer.signature(text, rebuilt))


def _signer(credentials: RunCredentials, region: str) -> SigV4Auth:
    known = Credentials(credentials.access_key_id, credentials.secret_access_key)
    return SigV4Auth(known, SERVICE, region)
