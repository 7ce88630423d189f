"""Where JupyterLab in a learner's server finds the assignments panel; `practicum.json` beside this switches on its server side."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:

    def get_config() -> Any: ...


c = get_config()

# By path and not by an entry of the environment's share folder: only this folder is mounted into a learner's server.
c.LabApp.extra_labextensions_path = [str(Path(__file__).resolve().parents[1] / "labextension")]

# JupyterHub switches the trash off, and without it a folder that holds something could not be deleted at all: not even an emptied
# assignment, whose record is hidden. JupyterLab asks first, and says that it is for good.
c.FileContentsManager.always_delete_dir = True
