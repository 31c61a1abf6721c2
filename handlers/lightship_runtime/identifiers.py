"""Prediction ids: issued here, carrying their time, sorting by it."""

import os


def prediction_ids(count: int, now_ms: int) -> list[str]:
    """`count` ids of 32 hexadecimal digits: 12 of the time in ms, 14 random a request, 6 of the row.

    The randomness comes from the kernel at each call, so that functions restored from one snapshot differ.
    """
    prefix = f"{now_ms:012x}{os.urandom(7).hex()}"
    return [f"{prefix}{row:06x}" for row in range(count)]


def id_time_ms(prediction_id: str) -> int:
    """The time in an id, in milliseconds since 1970. Raises ValueError when it isn't one of ours."""
    if len(prediction_id) != 32:
        raise ValueError(f"{prediction_id!r} is not a prediction id of 32 hexadecimal digits")
    int(prediction_id, 16)
    return int(prediction_id[:12], 16)
