"""resume=True on files that are no JSON and no YAML.

place = "plain"
"""

from pathlib import Path

from dvclive import Live

Path("dvclive").mkdir()
for name, text in (("params.yaml", "a: [1"), ("metrics.json", "{broken")):
    Path("dvclive", name).write_text(text)
    try:
        Live(resume=True)
    except Exception as error:
        print(name, type(error).__name__, error)
    Path("dvclive", name).unlink()
