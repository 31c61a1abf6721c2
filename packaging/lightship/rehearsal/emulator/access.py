"""Who may speak to the emulator: holders of this run's credentials, on this machine, and no web page.

The emulator runs whatever is uploaded to it, so that every request must carry an access key that was made up for this
run, or one that its STS gave out, and must be addressed to loopback.
"""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from lightship.loopback import LOOPBACK

type Environ = Mapping[str, str]


def credential_of(environ: Environ) -> tuple[str, str] | None:
    """The access key and the service that a request is signed for, in its header or its URL; None when unsigned."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    _, found, scope = header.partition("Credential=")
    if not found:
        scope = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
    parts = scope.partition(",")[0].split("/")
    return (parts[0], parts[3].lower()) if len(parts) == 5 else None


def refusal(environ: Environ, is_known_key: Callable[[str], bool]) -> str | None:
    """Why a request is refused, or None."""
    host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname
    if host not in LOOPBACK:
        return f"The rehearsal answers to loopback names only, not to {host!r}."
    if "HTTP_ORIGIN" in environ:
        return "The rehearsal answers no web page."
    credential = credential_of(environ)
    if credential is None or not is_known_key(credential[0]):
        return "The security token included in the request is invalid: it isn't one of this rehearsal's."
    return None
