"""YAML as DVCLive reads and writes it. ruamel.yaml takes 50 ms to import, so it is imported when it is needed first."""

from __future__ import annotations

import io
from collections import OrderedDict
from functools import cache

from livestream.events import Json
from livestream.live.error import YAMLFileCorruptedError


def load(path: str) -> Json:
    """Read a file of YAML into plain values.

    Raises:
        OSError: It cannot be read.
        YAMLFileCorruptedError: It is no YAML.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - see the module's docstring
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - as above

    with open(path, "rb") as file:
        content = file.read()
    try:
        return YAML(typ="safe").load(content.decode())
    except (YAMLError, UnicodeDecodeError) as error:
        raise YAMLFileCorruptedError(path) from error


def to_text(content: Json) -> str:
    """Write YAML in block style.

    Raises:
        ruamel.yaml.representer.RepresenterError: YAML cannot hold a value.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - see the module's docstring

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.Representer = _representer()
    text = io.StringIO()
    yaml.dump(content, text)
    return text.getvalue()


@cache
def _representer() -> type:
    """Give ruamel's class, to which an ordered dictionary is a dictionary."""
    from ruamel.yaml.representer import RoundTripRepresenter  # noqa: PLC0415 - see the module's docstring

    class Representer(RoundTripRepresenter):
        pass

    Representer.add_representer(OrderedDict, Representer.represent_dict)
    return Representer
