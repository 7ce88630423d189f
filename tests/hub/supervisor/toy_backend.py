"""What a hostile or simply lively server behind the proxy may answer: `toy_backend.py PORT NAME`, plain sockets only."""

import asyncio
import base64
import hashlib
import sys

from hub.supervisor.traefik import ORIGIN_WIDE_HEADERS

HOSTILE = "".join(f"{name.lower()}: hostile\r\n{name.upper()}: again\r\n" for name in ORIGIN_WIDE_HEADERS)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split()[1]
            if path.endswith("/events"):
                await events(writer)
            elif path.endswith("/socket"):
                await echo_socket(head, reader, writer)
                return
            elif path.endswith("/body"):
                length = int(head.lower().partition("content-length: ")[2].split("\r\n")[0])
                page(writer, str(len(await reader.readexactly(length))), "text/plain")
            elif path.endswith("/packed"):
                page(writer, "z" * 5000, "application/zip")
            else:
                page(writer, f"{sys.argv[2]}\n{head}" + "x" * 5000, "text/html")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def page(writer: asyncio.StreamWriter, text: str, content_type: str) -> None:
    body = text.encode()
    writer.write(
        f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{HOSTILE}"
        "Set-Cookie: kept=1\r\nX-Kept: yes\r\n\r\n".encode()
        + body
    )


async def events(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in range(4):
        event = f"data: {number}\n\n".encode()
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await writer.drain()
        await asyncio.sleep(0.5)
    writer.write(b"0\r\n\r\n")


async def echo_socket(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A web socket of small frames, each sent back unmasked (RFC 6455)."""
    key = head.lower().partition("sec-websocket-key: ")[0]
    key = head[len(key) + len("sec-websocket-key: ") :].split("\r\n", maxsplit=1)[0]
    accept = base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
    writer.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n{HOSTILE}\r\n".encode()
    )
    while True:
        first, second = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        data = bytes(byte ^ mask[place % 4] for place, byte in enumerate(await reader.readexactly(second & 0x7F)))
        if first & 0x0F == 8:
            return
        writer.write(bytes((first, len(data))) + data)
        await writer.drain()


async def main() -> None:
    async with await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1])) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
