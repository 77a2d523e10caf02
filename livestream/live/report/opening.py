"""Whether there can be a report, and which."""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec

from livestream.live.error import MissingPackageError
from livestream.live.options import ReportMode
from livestream.live.report.drawing import Notebook
from livestream.live.report.report import Report

logger = logging.getLogger("livestream")

_NOTEBOOKS_SHELL = "ZMQInteractiveShell"


def open_report(mode: ReportMode | None, directory: str, *, in_browser: bool = False) -> Report:
    """Open the report that a run keeps up to date; what cannot be is said, and the run goes on without.

    Args:
        mode: Which one; ``None`` for none.
        directory: The run's folder.
        in_browser: Show an HTML report in the browser when it is there (once a process).

    Returns:
        A report whose ``mode`` is ``None`` where there is none.

    Raises:
        MissingPackageError: What draws reports is not installed.
    """
    notebook = None
    if mode == "notebook":
        if not inside_notebook():
            logger.warning("Report mode 'notebook' requires to be inside a notebook. Disabling report.")
            mode = None
        elif find_spec("matplotlib") is not None:
            notebook = Notebook()
    if mode in {"notebook", "md"} and find_spec("matplotlib") is None:
        logger.warning("Report mode '%s' requires 'matplotlib' to be installed. Disabling report.", mode)
        mode = None
    if mode is not None:
        _check_packages(mode)
    return Report(mode, directory, notebook=notebook, in_browser=in_browser)


def inside_notebook() -> bool:
    """Tell whether this process is a notebook's kernel: Jupyter's, or one derived from it as Colab's is."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return any(kind.__name__ == _NOTEBOOKS_SHELL for kind in type(shell).__mro__)


def _check_packages(mode: ReportMode) -> None:
    for module in ("dvc_render", "tabulate", "flatten_dict"):
        if find_spec(module) is None:
            raise MissingPackageError(f"report={mode!r}", module.replace("_", "-"), "report")
