"""The same list below two parameters, for which YAML has anchors.

place = "plain"
"""

from dvclive import Live

sizes = [1, 2]
with Live() as live:
    live.log_param("first", sizes)
    live.log_param("second", sizes)
    live.log_params({"third": {"again": sizes}, "own": {"x": sizes, "y": sizes}})
    live.log_param("fourth", 4)
