"""Files that came with a form are closed with the request: any form may bring some, asked for or not."""

from collections.abc import AsyncIterator

from starlette.requests import Request


async def close_form(request: Request) -> AsyncIterator[None]:
    """A dependency of every route: what a form brought lies in memory or in /tmp until somebody closes it."""
    try:
        yield
    finally:
        await request.close()
