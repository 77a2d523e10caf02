"""The name of an experiment that nobody named.

row = "Random names"

[dvclive]
says = '''
[True, False]
'''

[livestream]
says = '''
[False, True]
'''
"""

import re

from dvclive import Live

with Live() as live:
    live.log_metric("loss", 1)
print([bool(re.fullmatch(shape, live._exp_name)) for shape in ("[a-z]+-[a-z]+", "[a-z]+-[a-z]+-[0-9a-f]{4}")])
