"""Whether a process answers, asked in the least a question over HTTP can cost."""

import asyncio
from urllib.parse import urlsplit


async def answers(url: str, timeout_s: float) -> bool:
    """Whether a GET of `url` is answered 2xx or 3xx within `timeout_s`."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            try:
                writer.write(
                    f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode()
                )
                status_line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.LimitOverrunError, ValueError):
        return False
    fields = status_line.split()
    return len(fields) >= 2 and fields[1][:1] in {b"2", b"3"}
