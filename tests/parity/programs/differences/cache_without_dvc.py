"""Live.cache without a DVC project.

row = "`cache` without a DVC project"
place = "plain"

[dvclive]
says = '''
AttributeError - 'NoneType' object has no attribute 'add'
'''
warns = []

[livestream]
says = ""
warns = [
    "WARNING:A DVC repo is required to cache files. Skipping `cache(model.bin)`."
]
"""

from pathlib import Path

from dvclive import Live

Path("model.bin").write_text("weights")
with Live(save_dvc_exp=False) as live:
    try:
        live.cache("model.bin")
    except AttributeError as error:
        print(type(error).__name__, "-", error)
