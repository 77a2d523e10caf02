"""dvcyaml: names that DVC does not read.

place = "plain"
"""

from pathlib import Path

from dvclive import Live

for dvcyaml in ("other.yaml", "dvclive", "", Path("a/b.yaml"), 1):
    try:
        Live(dvcyaml=dvcyaml)
    except Exception as error:
        print(repr(dvcyaml), type(error).__name__, error)
