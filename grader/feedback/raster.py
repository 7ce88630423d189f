"""Pictures that hold pixels and nothing else, told by their own first bytes."""

import base64
import binascii
import re

KINDS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}
MAX_BYTES = 2 * 1024 * 1024
_DATA_URL = re.compile(r"data:(image/(?:png|jpeg|gif));base64,([A-Za-z0-9+/=\s]+)\Z")


def is_picture(url: str) -> bool:
    """Whether a data URL is a PNG, JPEG or GIF, by its own first bytes and within size."""
    match = _DATA_URL.match(url)
    return match is not None and encoded(match[1], match[2]) is not None


def encoded(mime: str, text: str) -> str | None:
    """The picture's bytes in base64 as we write it, or None if it is none."""
    if not text or len(text) > 2 * MAX_BYTES:
        return None
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(data) > MAX_BYTES or not data.startswith(KINDS[mime]):
        return None
    return base64.b64encode(data).decode("ascii")
