"""JupyterHub's REST API in memory, as far as our pages use it; each failure it can have is an attribute."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

SERVICE_TOKEN = "service-token"


@dataclass
class FakeJupyterHub:
    """Who is signed in and which servers run."""

    codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Authorization codes: user name and code challenge."""
    tokens: dict[str, str] = field(default_factory=dict)
    """OAuth and API tokens: user name."""
    scopes: dict[str, list[str]] = field(default_factory=dict)
    """What a token may do."""
    api_tokens: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    pending: dict[str, str] = field(default_factory=dict)
    started: dict[str, str] = field(default_factory=dict)
    """When it began to start which server, as it writes moments."""
    refuses_starts_with: tuple[int, str] | None = None
    cannot_write: bool = False
    """Its disk is full: it says yes to a stop and does nothing, as the real one does."""
    server_url: str = "/user/{name}/"
    calls: Counter[str] = field(default_factory=Counter)

    def app(self) -> FastAPI:
        """The ASGI application to mount behind an httpx transport."""
        app = FastAPI(openapi_url=None)

        @app.middleware("http")
        async def count(request: Request, call_next):  # type: ignore[no-untyped-def]
            self.calls[f"{request.method} {request.url.path.removeprefix('/hub/api')}"] += 1
            return await call_next(request)

        self._add_sign_in(app)
        self._add_servers(app)
        self._add_tokens(app)
        return app

    def _add_sign_in(self, app: FastAPI) -> None:
        @app.post("/hub/api/oauth2/token")
        async def token(request: Request) -> Response:
            import base64
            import hashlib

            form = await request.form()
            name, challenge = self.codes.pop(str(form["code"]), ("", ""))
            digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
            proven = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
            if not name or not proven or form["client_secret"] != SERVICE_TOKEN:
                return JSONResponse({"error": "invalid_grant"}, 400)
            self.tokens[f"token-of-{name}"] = name
            return JSONResponse({"access_token": f"token-of-{name}", "token_type": "Bearer"})

        @app.get("/hub/api/user")
        async def user(request: Request) -> Response:
            token = request.headers["authorization"].removeprefix("Bearer ")
            name = self.tokens.get(token)
            model = {"kind": "user", "name": name, "scopes": self.scopes.get(token, [])}
            return JSONResponse(model) if name else JSONResponse({}, 403)

    def _add_servers(self, app: FastAPI) -> None:
        @app.get("/hub/api/users/{name}")
        async def users(name: str) -> Response:
            if name in self.running or name in self.pending:
                server = {
                    "ready": name in self.running,
                    "pending": self.pending.get(name),
                    "url": self.server_url.format(name=name),
                    "started": self.started.get(name),
                }
                return JSONResponse({"name": name, "servers": {"": server}})
            return JSONResponse({"name": name, "servers": {}})

        @app.post("/hub/api/users/{name}/server")
        async def start(name: str) -> Response:
            if self.refuses_starts_with:
                status, message = self.refuses_starts_with
                return JSONResponse({"status": status, "message": message}, status)
            if name in self.pending:
                return Response(status_code=202)
            self.running.add(name)
            return Response(status_code=201)

        @app.delete("/hub/api/users/{name}/server")
        async def stop(name: str) -> Response:
            self._end_server(name)
            return Response(status_code=204)

        @app.get("/hub/api/users/{name}/server/progress")
        async def progress(name: str) -> Response:
            async def events() -> AsyncIterator[str]:
                yield f"data: {json.dumps({'progress': 0, 'message': 'Server requested'})}\n\n"
                yield "\n\n"
                yield "data: not json\n\n"
                self.pending.pop(name, None)
                if self.refuses_starts_with:
                    failed = f"Spawn failed: {self.refuses_starts_with[1]}"
                    yield f"data: {json.dumps({'progress': 100, 'failed': True, 'message': failed})}\n\n"
                else:
                    self.running.add(name)
                    yield f"data: {json.dumps({'progress': 100, 'ready': True, 'message': 'Server ready'})}\n\n"

            return StreamingResponse(events(), media_type="text/event-stream")

    def _end_server(self, name: str) -> None:
        if self.cannot_write:
            return
        self.running.discard(name)
        if self.pending.get(name) == "spawn":
            del self.pending[name]

    def _add_tokens(self, app: FastAPI) -> None:
        @app.get("/hub/api/users/{name}/tokens")
        async def tokens(name: str) -> Response:
            return JSONResponse({"api_tokens": self.api_tokens.get(name, [])})

        @app.delete("/hub/api/users/{name}/tokens/{token_id}")
        async def delete_token(name: str, token_id: str) -> Response:
            kept = [token for token in self.api_tokens[name] if token["id"] != token_id]
            found = len(kept) < len(self.api_tokens[name])
            self.api_tokens[name] = kept
            return Response(status_code=204 if found else 404)
