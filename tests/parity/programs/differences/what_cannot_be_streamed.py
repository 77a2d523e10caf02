"""Values and names that files can hold and the wire to a Studio cannot.

row = "What cannot be streamed"
place = "plain"

[dvclive]
warns = []

[livestream]
warns = [
    "WARNING:livestream.not_streamed",
    "WARNING:livestream.not_streamed",
    "WARNING:livestream.not_streamed",
    "WARNING:livestream.not_streamed"
]
"""

from dvclive import Live

with Live(save_dvc_exp=False) as live:
    live.log_metric("big", 10**30)
    live.log_metric("name\twith tab", 2)
    live.log_params({1: "one", 2.5: "half", None: "nothing"})
    live.log_param("bytes", b"\x00\x01")
