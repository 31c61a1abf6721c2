"""Amazon S3 as a store. Needs boto3, which Lambda has; the client is handed in."""

import io
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast

from lightship_runtime.batch.errors import BatchError, InputChangedError
from lightship_runtime.batch.stores import Stored

PIECE = 8 << 20
"""Bytes fetched by one request, and sent by one part of an upload."""
ATTEMPTS = 7
LONGEST_WAIT_S = 20.0

_TRANSIENT = frozenset(
    {"500", "503", "InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "Throttling", "502", "504",
     "ThrottlingException", "RequestTimeTooSkewed", "OperationAborted", "ConditionalRequestConflict", "409"}
)  # fmt: skip
_ABSENT = frozenset({"404", "NoSuchKey"})
_CHANGED = frozenset({"412", "PreconditionFailed"})


def backoff_s(attempt: int, draw: Callable[[], float] = random.random) -> float:
    """Seconds to wait after attempt 0, 1, ...: full jitter under a doubling bound
    (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/)."""
    return min(LONGEST_WAIT_S, 0.2 * 2.0**attempt) * draw()


@dataclass
class S3Store:
    """A prefix of a bucket. Names are keys without the prefix, which is empty or ends with a slash."""

    client: Any
    bucket: str
    prefix: str = ""
    sleep: Callable[[float], None] = time.sleep

    def list(self, prefix: str = "") -> Iterator[Stored]:
        arguments = {"Bucket": self.bucket, "Prefix": self.prefix + prefix}
        while True:
            page = self._call(self.client.list_objects_v2, **arguments)
            for each in page.get("Contents", ()):
                name = each["Key"][len(self.prefix) :]
                if not name.endswith("/"):
                    yield Stored(name, each["Size"], each["ETag"])
            if not page.get("IsTruncated"):
                return
            arguments["ContinuationToken"] = page["NextContinuationToken"]

    @contextmanager
    def open(self, stored: Stored, start: int = 0, end: int | None = None) -> Iterator[IO[bytes]]:
        raw = _RangedObject(self, stored, start, stored.size if end is None else end)
        with io.BufferedReader(raw, PIECE) as stream:
            yield stream

    def read_range(self, stored: Stored, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`. Raises InputChangedError."""

        def fetch() -> bytes:
            answer = self.client.get_object(
                Bucket=self.bucket,
                Key=self.prefix + stored.name,
                Range=f"bytes={start}-{end - 1}",
                IfMatch=stored.etag,
            )
            data: bytes = answer["Body"].read()
            if len(data) != end - start:
                raise ConnectionError(f"{len(data)} of {end - start} bytes of {stored.name} came")
            return data

        try:
            return self._retried(fetch)
        except self.client.exceptions.ClientError as error:
            if _code(error) in _CHANGED | _ABSENT:
                raise InputChangedError(stored.name) from error
            raise

    def read(self, name: str) -> tuple[bytes, str] | None:
        def fetch() -> tuple[bytes, str]:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)
            return answer["Body"].read(), answer["ETag"]

        try:
            return self._retried(fetch)
        except self.client.exceptions.ClientError as error:
            if _code(error) in _ABSENT:
                return None
            raise

    def write(self, name: str, data: bytes) -> None:
        self._call(self.client.put_object, Bucket=self.bucket, Key=self.prefix + name, Body=data)

    def create(self, name: str, data: bytes) -> bool:
        return self._write_if(name, data, IfNoneMatch="*")

    def replace(self, name: str, data: bytes, tag: str | None) -> bool:
        return self.create(name, data) if tag is None else self._write_if(name, data, IfMatch=tag)

    def _write_if(self, name: str, data: bytes, **condition: str) -> bool:
        try:
            self._call(self.client.put_object, Bucket=self.bucket, Key=self.prefix + name, Body=data, **condition)
        except self.client.exceptions.ClientError as error:
            if _code(error) not in _CHANGED | _ABSENT:
                raise
            # An attempt whose answer was lost may have written it: then what lies there is what was to be written.
            found = self.read(name)
            return found is not None and found[0] == data
        return True

    @contextmanager
    def writer(self, name: str) -> Iterator[IO[bytes]]:
        upload = _Upload(self, self.prefix + name)
        try:
            yield cast("IO[bytes]", upload)
        except BaseException:
            upload.abandon()
            raise
        upload.finish()

    def _call(self, method: Callable[..., Any], **arguments: Any) -> Any:
        return self._retried(lambda: method(**arguments))

    def _retried[T](self, action: Callable[[], T]) -> T:
        for attempt in range(ATTEMPTS):
            try:
                return action()
            except Exception as error:
                if attempt == ATTEMPTS - 1 or not self._is_transient(error):
                    raise
                self.sleep(backoff_s(attempt))
        raise BatchError("S3 was asked no time at all.")

    def _is_transient(self, error: Exception) -> bool:
        if isinstance(error, self.client.exceptions.ClientError):
            return _code(error) in _TRANSIENT
        # What is lost on the way: urllib3's and botocore's own errors, by name since neither is imported here.
        lost = ("ConnectionError", "HTTPClientError", "ProtocolError", "ReadTimeoutError", "ResponseStreamingError",
                "IncompleteReadError", "OSError")  # fmt: skip
        return any(kind.__name__ in lost for kind in type(error).__mro__)


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


class _RangedObject(io.RawIOBase):
    """An object's bytes from `start` to `end` as a file, fetched by ranges. Positions count from `start`."""

    def __init__(self, store: S3Store, stored: Stored, start: int, end: int) -> None:
        self._store = store
        self._stored = stored
        self._start = start
        self._size = end - start
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._size - self._position)
        if count <= 0:
            return 0
        first = self._start + self._position
        buffer[:count] = self._store.read_range(self._stored, first, first + count)
        self._position += count
        return count


class _Upload(io.RawIOBase):
    """An object being written: one request if it is small, else an upload in parts that appears when finished."""

    def __init__(self, store: S3Store, key: str) -> None:
        self._store = store
        self._place = {"Bucket": store.bucket, "Key": key}
        self._held = bytearray()
        self._upload: str | None = None
        self._parts: list[dict[str, Any]] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        while len(self._held) >= 2 * PIECE:
            self._send(bytes(self._held[:PIECE]))
            del self._held[:PIECE]
        return len(data)

    def finish(self) -> None:
        client = self._store.client
        if self._upload is None:
            self._store._call(client.put_object, **self._place, Body=bytes(self._held))
            return
        self._send(bytes(self._held))
        self._call(client.complete_multipart_upload, MultipartUpload={"Parts": self._parts})

    def abandon(self) -> None:
        if self._upload is not None:
            self._call(self._store.client.abort_multipart_upload)

    def _send(self, data: bytes) -> None:
        client = self._store.client
        if self._upload is None:
            self._upload = self._store._call(client.create_multipart_upload, **self._place)["UploadId"]
        number = len(self._parts) + 1
        answer = self._call(client.upload_part, PartNumber=number, Body=data)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    def _call(self, method: Callable[..., Any], **arguments: Any) -> Any:
        return self._store._call(method, **self._place, UploadId=self._upload, **arguments)
