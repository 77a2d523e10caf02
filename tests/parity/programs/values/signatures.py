"""Names, order and defaults of the arguments of the methods.

place = "plain"
"""

import inspect

from dvclive import Live

METHODS = (
    "__init__",
    "log_metric",
    "log_param",
    "log_params",
    "log_image",
    "log_plot",
    "log_sklearn_plot",
    "log_artifact",
    "make_summary",
    "make_report",
    "sync",
    "next_step",
    "end",
    "monitor_system",
    "read_step",
    "read_latest",
)  # fmt: skip, and not cache, make_dvcyaml and save_dvc_exp: DVCLive wraps them, and inspect sees the wrapper
for method in METHODS:
    arguments = inspect.signature(getattr(Live, method)).parameters.values()
    print(method, [(argument.name, argument.kind.name, argument.default) for argument in arguments])
PROPERTIES = (
    "dir", "params_file", "metrics_file", "dvc_file", "plots_dir", "artifacts_dir", "report_file", "step",
)  # fmt: skip
for name in PROPERTIES:
    print(name, isinstance(getattr(Live, name), property), getattr(Live, name).fset is None)
