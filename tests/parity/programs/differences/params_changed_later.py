"""A parameter whose list changes after it was logged.

row = "A parameter that changes after it was logged"
place = "plain"
differs = ["dvclive/params.yaml"]

[dvclive]
says = '''
layers:
- 64
- 32
other: 1

'''

[livestream]
says = '''
layers:
- 64
other: 1

'''
"""

from pathlib import Path

from dvclive import Live

with Live() as live:
    layers = [64]
    live.log_param("layers", layers)
    layers.append(32)
    live.log_param("other", 1)
    print(Path("dvclive/params.yaml").read_text())
