"""report: a mode that there is not.

place = "plain"
"""

from pathlib import Path

from dvclive import Live
from dvclive.error import InvalidReportModeError

for report in ("pdf", "auto", "", 1, False):
    try:
        Live(report=report)
    except InvalidReportModeError as error:
        print(repr(report), error)
print(Path("dvclive").exists())
