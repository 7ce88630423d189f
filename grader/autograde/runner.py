"""Inside the sandbox: runs the cells it is sent, one after the other, in one fresh interpreter, and says how each ended.

One file, mounted by itself: `python -I runner.py SOCKET`. A test's source arrives only when its turn has come, with a
word that its answer must repeat. Cells of the learner run as IPython runs them; tests run through compile() and exec()
as they were before any learner's code ran, so that an input or AST transformer, a patched `run_cell` or a replaced
builtin does not reach them. This is decency, not a wall: learner's code shares this interpreter and can, with effort,
speak in its name. The other side therefore never takes points from here, only what happened.
"""

import ast
import asyncio
import builtins
import contextlib
import inspect
import io
import json
import linecache
import os
import resource
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_HEADER = struct.Struct("!I")
_MAX_REQUEST_BYTES = 64 * 1024 * 1024
_MAX_MESSAGE = 4000
"""Characters of an error's sentence: a sentence, not a data set."""
_MAX_PRINTED = 16_000
_MAX_NUMBER = 60
"""Characters of a value: only numbers are wanted."""


class CellTimeoutError(BaseException):
    """A cell's time is over. Not an `Exception`, so that a learner's `except Exception` does not swallow it."""


class Printed(io.TextIOBase):
    """What one cell prints: the beginning is kept, the rest counted."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._room = _MAX_PRINTED
        self.dropped = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        kept = text[: self._room]
        self._kept.append(kept)
        self._room -= len(kept)
        self.dropped += len(text) - len(kept)
        return len(text)

    @property
    def text(self) -> str:
        return "".join(self._kept)


class Connection:
    """Frames of JSON, each with its length before it, over a unix socket."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.connect(path)

    def receive(self) -> dict[str, Any] | None:
        """The next request; None when the other side is gone."""
        head = self._exactly(_HEADER.size)
        if head is None:
            return None
        (size,) = _HEADER.unpack(head)
        body = self._exactly(size) if size <= _MAX_REQUEST_BYTES else None
        if body is None:
            return None
        request: dict[str, Any] = json.loads(body)
        return request

    def send(self, reply: dict[str, Any]) -> None:
        body = json.dumps(reply).encode("ascii")
        self._socket.sendall(_HEADER.pack(len(body)) + body)

    def _exactly(self, size: int) -> bytes | None:
        parts = []
        while size:
            part = self._socket.recv(min(size, 65536))
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class Cells:
    """One namespace and the ways to run cells in it. What a test needs is kept from before the first cell."""

    def __init__(self) -> None:
        from IPython.core.displayhook import DisplayHook  # noqa: PLC0415 - after this process has its limits
        from IPython.core.inputtransformer2 import TransformerManager  # noqa: PLC0415

        self._shell = _quiet_shell()
        self._transform: Callable[[str], str] = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
        self._ends_in_semicolon: Callable[[str], bool] = DisplayHook.semicolon_at_end_of_expression
        self._builtins = dict(builtins.__dict__)
        # Names of modules and classes can be rebound by a learner's cell; these are held here.
        self._compile, self._exec, self._eval, self._parse = compile, exec, eval, ast.parse
        self._set_trace, self._set_profile = sys.settrace, sys.setprofile

    def run(self, source: str) -> BaseException | None:
        """Run a learner's or an ungraded cell as IPython does, magics included; how it failed, if it did."""
        result = self._shell.run_cell(source, store_history=True)
        failure: BaseException | None = result.error_before_exec or result.error_in_exec
        return failure

    def run_test(self, source: str, name: str) -> object:
        """The value of a graded cell's last expression, None if it shows none. Raises whatever the cell raises."""
        self.restore()
        code = self._transform(source)
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        body = self._parse(code, name).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) and not self._ends_in_semicolon(code) else None
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._finish(self._eval(self._compile(ast.Module(body, []), name, "exec", flags), self._shell.user_ns))
        if not isinstance(last, ast.Expr):
            return None
        return self._finish(
            self._eval(self._compile(ast.Expression(last.value), name, "eval", flags), self._shell.user_ns)
        )

    def _finish(self, value: object) -> object:
        """The value, awaited where the cell awaits at its top level."""
        if inspect.iscoroutine(value):
            return self._shell.loop_runner(value)
        return value

    def restore(self) -> None:
        """Tracing off and Python's own builtins back: after a learner's cell, or the next thing that breaks is this file."""
        self._set_trace(None)
        self._set_profile(None)
        now = builtins.__dict__
        for name, value in self._builtins.items():
            if now.get(name) is not value:
                now[name] = value


def _quiet_shell() -> Any:
    """An IPython shell that shows nothing and keeps no history; figures and tables are made and thrown away."""
    from IPython.core.displayhook import DisplayHook  # noqa: PLC0415 - after this process has its limits
    from IPython.core.displaypub import DisplayPublisher  # noqa: PLC0415
    from IPython.core.interactiveshell import InteractiveShell  # noqa: PLC0415
    from traitlets.config import Config  # noqa: PLC0415

    class NoPublisher(DisplayPublisher):
        def publish(self, *_arguments: Any, **_options: Any) -> None:
            pass

        def clear_output(self, wait: bool = False) -> None:
            pass

    class NoHook(DisplayHook):
        def __call__(self, result: object = None) -> None:
            if result is not None:
                self.update_user_ns(result)  # type: ignore[no-untyped-call]

    class QuietShell(InteractiveShell):
        display_pub_class = NoPublisher
        displayhook_class = NoHook

        def showtraceback(self, *_arguments: Any, **_options: Any) -> None:
            pass

        def showsyntaxerror(self, *_arguments: Any, **_options: Any) -> None:
            pass

        def enable_gui(self, gui: str | None = None) -> None:
            pass  # `%matplotlib inline` asks for one

        def init_builtins(self) -> None:
            super().init_builtins()  # type: ignore[no-untyped-call]
            # `exit` in a cell ends the cell, as under Jupyter, and not a terminal.
            self.user_ns.update(exit=sys.exit, quit=sys.exit)

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    shell = QuietShell.instance(config=config)
    asyncio.set_event_loop(asyncio.new_event_loop())
    return shell


class Runner:
    """Answers one request after the other."""

    def __init__(self, connection: Connection, cells: Cells, files: list[str], source: str, work: str) -> None:
        self._connection = connection
        self._cells = cells
        self._files = files
        self._source = source
        self._work = work

    def serve(self) -> None:
        """Until the other side is gone."""
        self._connection.send({"ready": True})
        while (request := self._connection.receive()) is not None:
            self._connection.send({"word": request["word"], **self._answer(request)})

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """How the cell ended. `value` is the text of a number, or None for anything else."""
        name = f"<cell {request['number']}>"
        printed, started = Printed(), time.monotonic()
        failure: BaseException | None = None
        value: object = None
        put_files(self._files, self._source, self._work)
        with _printing_to(printed), _at_most(request["seconds"]):
            try:
                if request["test"]:
                    value = self._cells.run_test(request["source"], name)
                else:
                    failure = self._cells.run(request["source"])
                number = _number(value)
            except BaseException as exc:  # noqa: BLE001 - a cell may raise anything, SystemExit included
                failure, number = exc, None
            finally:
                self._cells.restore()
        return {
            "ok": failure is None,
            "value": number,
            "shown": value is not None,
            "error": None if failure is None else _error(failure, name),
            "printed": printed.text,
            "dropped": printed.dropped,
            "seconds": round(time.monotonic() - started, 3),
        }


@contextlib.contextmanager
def _printing_to(printed: Printed) -> Iterator[None]:
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        yield


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise `CellTimeoutError` in the block when its time is over, again each second if that is caught."""

    def over(_signal: int, _frame: object) -> None:
        raise CellTimeoutError

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _number(value: object) -> str | None:
    """The number nbgrader would read from the value's text, as text; None if it is no number.

    A NumPy scalar counts as its number: its text in NumPy 2, `np.float64(0.5)`, would not.
    """
    if value is None or isinstance(value, bool | str | bytes):
        return None
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, int | float):
        try:
            return repr(float(value))
        except OverflowError:
            return "inf"
    text = str(repr(value)).strip()
    if len(text) > _MAX_NUMBER:
        return None
    try:
        return repr(float(text))
    except ValueError:
        return None


def _error(failure: BaseException, name: str) -> dict[str, Any]:
    """Type, sentence and the line of the cell it happened in; never a traceback, whose frames show sources."""
    kind = type(failure)
    try:
        message = str(failure)[:_MAX_MESSAGE]
    except Exception:  # noqa: BLE001 - __str__ of a learner's class
        message = ""
    lines = [frame.lineno for frame in traceback.extract_tb(failure.__traceback__) if frame.filename == name]
    if isinstance(failure, SyntaxError) and failure.filename == name:
        lines.append(failure.lineno)
    return {
        "type": kind.__name__[:100],
        "builtin": kind.__module__ == "builtins",
        "timeout": kind is CellTimeoutError,
        "message": message,
        "line": lines[0] if lines else None,
    }


def put_files(names: list[str], source: str, work: str) -> None:
    """Each of the lesson's files lies beside the notebook, as a link into the read-only release, whatever a cell did."""
    for name in names:
        link, target = Path(work, name), str(Path(source, name))
        try:
            if not (link.is_symlink() and str(link.readlink()) == target):
                _clear(link)
                link.symlink_to(target)
        except OSError:  # a cell may have taken the room or the rights away: its own loss
            continue


def _clear(path: Path) -> None:
    import shutil  # noqa: PLC0415 - the ordinary run never needs it

    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    """Connect first, before any learner's code: the other side takes one connection and no second."""
    connection = Connection(sys.argv[1])
    start = connection.receive()
    if start is None:
        return
    for which, most in start["rlimits"].items():
        number = getattr(resource, which)
        resource.setrlimit(number, (most, most))
    sys.path[:0] = start["path"]
    sys.argv[:] = [""]
    Path(start["work"]).mkdir(parents=True, exist_ok=True)
    os.chdir(start["work"])
    sys.path.insert(0, "")
    Runner(connection, Cells(), start["files"], start["source"], start["work"]).serve()


if __name__ == "__main__":
    main()
