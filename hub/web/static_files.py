"""Style sheet, script and mark; and the sign of life the supervisor looks for."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

import hub
from hub.web.assets import load_assets
from hub.web.errors import PageNotFoundError

router = APIRouter(include_in_schema=False)


@router.get("/static/{digest}/{name}")
async def read_asset(request: Request, digest: str, name: str) -> Response:
    """The file, cacheable for ever at this address. A digest of an older version is gone, and so is its page."""
    asset = load_assets().get(name)
    if asset is None or asset.digest != digest:
        raise PageNotFoundError
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if asset.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.compressed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.content, media_type=asset.media_type, headers=headers)


@router.get("/health")
async def health() -> Response:
    """That this process answers; nothing about what it holds."""
    return JSONResponse({"status": "ok", "version": hub.__version__})
