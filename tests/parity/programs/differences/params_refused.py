r"""A parameter that YAML cannot hold: what becomes of those before and after it.

row = "A parameter that YAML cannot hold"
place = "plain"
differs = ["dvclive/params.yaml"]

[dvclive]
says = '''
bad - cannot represent an object: 1j
also_good - cannot represent an object: 1j
''
'''

[livestream]
says = '''
bad - cannot represent an object: 1j
'good: 1\nalso_good: 2\n'
'''
"""

from pathlib import Path

from dvclive import Live
from dvclive.error import InvalidParameterTypeError

with Live() as live:
    live.log_param("good", 1)
    for name, value in (("bad", 1j), ("also_good", 2)):
        try:
            live.log_param(name, value)
        except InvalidParameterTypeError as error:
            print(name, "-", error)
    print(repr(Path("dvclive/params.yaml").read_text()))
