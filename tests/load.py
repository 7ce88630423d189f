"""People who use a centre while a test does something to it, and the count of what they were answered."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.visitor import Visitor


@dataclass
class Answers:
    """What came back: the status, or the kind of failure where nothing did."""

    kinds: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, took_s: float) -> None:
        with self._lock:
            self.kinds[kind] += 1
            self.slowest_s = max(self.slowest_s, took_s)


def ask(http: httpx.Client, path: str, answers: Answers) -> None:
    """One GET, whatever becomes of it."""
    began = time.monotonic()
    try:
        kind = str(http.get(path).status_code)
    except httpx.HTTPError as exc:
        kind = type(exc).__name__
    answers.note(kind, time.monotonic() - began)


@contextmanager
def load(base_url: str, people: list[Visitor], pause_s: float = 0.05) -> Iterator[Answers]:
    """Every signed-in person, and one who is not, looks at pages, the API and servers without an end."""
    answers, stop = Answers(), threading.Event()

    def look(cookies: httpx.Cookies, paths: list[str]) -> None:
        navigation = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "same-origin"}
        with httpx.Client(base_url=base_url, headers=navigation, cookies=cookies, timeout=20) as http:
            while not stop.is_set():
                for path in paths:
                    ask(http, path, answers)
                    stop.wait(pause_s)

    strangers = [["/hub/login", "/hub/api/", "/services/practicum/health"]]
    owners = [["/services/practicum/", "/hub/api/", "/services/practicum/account"] for _ in people]
    threads = [
        threading.Thread(target=look, args=(cookies, paths))
        for cookies, paths in zip(
            [httpx.Cookies(), *(httpx.Cookies(person.http.cookies) for person in people)],
            [*strangers, *owners],
            strict=True,
        )
    ]
    for each in threads:
        each.start()
    try:
        yield answers
    finally:
        stop.set()
        for each in threads:
            each.join()


@contextmanager
def watched(urls: list[str], pause_s: float = 0.05) -> Iterator[Answers]:
    """Every URL asked over and over: those that must answer 200 whatever happens."""
    answers, stop = Answers(), threading.Event()

    def watch(url: str) -> None:
        with httpx.Client(timeout=20) as http:
            while not stop.is_set():
                ask(http, url, answers)
                stop.wait(pause_s)

    threads = [threading.Thread(target=watch, args=(url,)) for url in urls]
    for each in threads:
        each.start()
    try:
        yield answers
    finally:
        stop.set()
        for each in threads:
            each.join()
