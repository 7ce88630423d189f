"""Requests to the grader, byte by byte, as hostile code in a learner's server makes them."""

from tests.journeys.grader_storm import ASSIGNMENT, COURSE

API = "/services/grader/api/v1"
WORK = f"{API}/courses/{COURSE}/assignments/{ASSIGNMENT}"
FOREIGN = f"{API}/courses/foreign/assignments/{ASSIGNMENT}"
TEACH = f"/services/grader/teach/{COURSE}/{ASSIGNMENT}"

NAVIGATION = {
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "same-origin",
    "Content-Type": "application/x-www-form-urlencoded",
}
PRETENCES = (
    {"X-Forwarded-User": "zhao.yun", "X-Remote-User": "zhao.yun", "Remote-User": "zhao.yun"},
    {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1;host=localhost"},
    {"X-Forwarded-Host": "localhost", "X-Forwarded-Prefix": "/services/practicum", "X-Original-URL": "/services/grader/"},
    {"X-JupyterHub-User": "zhao.yun", "X-JupyterHub-Service": "practicum", "Cookie": "practicum-door=open"},
)  # fmt: skip

SEND = """
import json, os, socket
for raw in json.loads(open("requests.json").read()):
    raw = raw.replace("OWN-TOKEN", os.environ["JUPYTERHUB_API_TOKEN"]).encode("latin-1")
    said = b""
    try:
        with socket.create_connection(("127.0.0.1", 8082), timeout=15) as connection:
            connection.sendall(raw)
            while part := connection.recv(65536):
                said += part
    except OSError as error:
        said = said or repr(error).encode()
    print(json.dumps(said.decode("latin-1")[:40000]))
"""


def request(method: str, path: str, headers: dict[str, str] | None = None, body: str = "", token: str = "") -> str:
    """One request as bytes on the line, its connection closed after the answer."""
    told = {"Host": "127.0.0.1:8082", "Connection": "close", "Content-Length": str(len(body))}
    if token:
        told["Authorization"] = token
    lines = [f"{name}: {value}" for name, value in (told | (headers or {})).items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", body])


OWN = "token OWN-TOKEN"


SMUGGLED = request("GET", f"{API}/assignments", token="token SMUGGLED")
SMUGGLING = (
    ({"Transfer-Encoding": "chunked"}, f"0\r\n\r\n{SMUGGLED}"),
    ({"Transfer-Encoding": "chunked", "Content-Length": "4"}, f"0\r\n\r\n{SMUGGLED}"),
    ({"Transfer-Encoding": " chunked"}, f"0\r\n\r\n{SMUGGLED}"),
    ({"Transfer-Encoding": "xchunked"}, f"0\r\n\r\n{SMUGGLED}"),
    ({"Transfer-Encoding": "identity, chunked"}, f"0\r\n\r\n{SMUGGLED}"),
    ({"Content-Length": "0, 5"}, SMUGGLED),
    ({"Content-Length": "-1"}, SMUGGLED),
    ({"Content-Length": "+5"}, SMUGGLED),
    ({"Content-Length ": "5"}, SMUGGLED),
    ({"X": "y\r\nContent-Length: 5"}, SMUGGLED),
    ({"X": "y\nTransfer-Encoding: chunked"}, f"0\r\n\r\n{SMUGGLED}"),
)


def smuggling(token: str) -> list[str]:
    keep = {"Connection": "keep-alive"}
    return [request("POST", f"{WORK}/uploads", keep | head, body, token) for head, body in SMUGGLING]
