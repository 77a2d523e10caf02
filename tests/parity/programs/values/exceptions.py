"""The exceptions: where they are, what they are, what they say and hold.

place = "plain"
"""

from dvclive import error
from dvclive.serialize import YAMLError, YAMLFileCorruptedError

for made in (
    error.InvalidDataTypeError("name", int),
    error.InvalidDvcyamlError(),
    error.InvalidImageNameError("name"),
    error.InvalidPlotTypeError("name"),
    error.InvalidParameterTypeError("text"),
    error.InvalidReportModeError("pdf"),
    YAMLFileCorruptedError("path"),
):
    print(type(made).__name__, isinstance(made, error.DvcLiveError), made, getattr(made, "name", None))
print(issubclass(YAMLFileCorruptedError, YAMLError))
