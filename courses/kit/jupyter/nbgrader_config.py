"""How nbgrader's Validate button runs a notebook in a learner's server; read by it at every click."""

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
