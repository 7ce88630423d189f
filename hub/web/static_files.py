"""Style sheets, scripts and the mark; and the sign of life the supervisor looks for."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

import hub
from hub.web.errors import PageNotFoundError
from hub.web.front import FrontOf

router = APIRouter(include_in_schema=False)


@router.get("/static/{digest}/{name}")
async def read_asset(request: Request, front: FrontOf, digest: str, name: str) -> Response:
    """The file, cacheable for ever at this address. A digest of an older version is gone, and so is its page."""
    asset = front.renderer.assets.find(name, digest)
    if asset is None:
        raise PageNotFoundError
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if asset.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.compressed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.content, media_type=asset.media_type, headers=headers)


@router.get("/health")
async def health() -> Response:
    """That this process answers; nothing about what it holds."""
    return JSONResponse({"status": "ok", "version": hub.__version__})
