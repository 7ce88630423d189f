"""Run inside a learner's server in the place of JupyterLab: answers whatever is asked for, with whatever headers.

`GET …/page` is an empty page for a test's scripts to run in, `…/bait` one that holds what our pages hold, `…/worker.js` a
service worker, `…/seen` the headers of every request so far, and `…/to?url=…` a redirect. `?header=NAME:VALUE`, any number of
times, adds headers to any of them. Standard library only.
"""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BAIT = """<title>bait</title><form method="post"><input name="form_token" value="bait"><input name="_xsrf" value="bait">
</form><script>const jhdata = {xsrf_token: "bait", "kind": "user", "token": "bait"}</script>"""

# Answers its page's question `what` with what it got for its own navigations, redirects followed by hand.
WORKER = """
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (!event.request.url.includes("stolen=")) return;
  event.respondWith((async () => {
    const answer = await fetch(event.request);
    let text = answer.type + " " + answer.url;
    try { text += await answer.text(); } catch (error) { text += error; }
    return new Response("worker saw: " + text);
  })());
});
"""

SEEN: list[dict[str, str]] = []


class Hostile(BaseHTTPRequestHandler):
    """Answers without asking who it is."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        SEEN.append({"path": self.path, **dict(self.headers.items())})
        query = parse_qs(urlsplit(self.path).query)
        name = urlsplit(self.path).path.rpartition("/")[2]
        kind, body = {
            "bait": ("text/html", BAIT),
            "worker.js": ("text/javascript", WORKER),
            "seen": ("application/json", json.dumps(SEEN)),
        }.get(name, ("text/html", "<title>hostile</title><p>hostile"))
        self.send_response(302 if name == "to" else 200)
        if name == "to":
            self.send_header("Location", query["url"][0])
        self.send_header("Content-Type", kind)
        for header in query.get("header", ()):
            self.send_header(*header.split(":", 1))
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name in the base class
        pass


if __name__ == "__main__":
    port = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"]).port
    ThreadingHTTPServer(("127.0.0.1", port or 8888), Hostile).serve_forever()
