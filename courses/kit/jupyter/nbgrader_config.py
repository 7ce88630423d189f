"""How nbgrader validates a notebook in a learner's server, and reaches the centre; read by it at every click and command."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.paths import jupyter_runtime_dir

if TYPE_CHECKING:

    def get_config() -> Any: ...


c = get_config()

# No port that another process of the machine could connect to. The address must be absolute: nbgrader would otherwise make
# sockets in the lesson's folder.
c.KernelManager.transport = "ipc"
c.KernelManager.ip = str(Path(jupyter_runtime_dir()) / "validate")

# nbgrader's 30 s are short for a first import on a busy machine.
c.ExecutePreprocessor.timeout = 120
c.Execute.timeout = 120

# `nbgrader list`, `fetch_assignment`, `submit` and the Assignment List speak to the centre.
for _part in (
    "exchange",
    "fetch_assignment",
    "fetch_feedback",
    "release_assignment",
    "release_feedback",
    "list",
    "submit",
    "collect",
):
    _class = "".join(word.capitalize() for word in _part.split("_"))
    c.ExchangeFactory[_part] = f"courses.kit.handin.nbgrader_exchange.{_class}"
