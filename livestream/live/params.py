"""Parameters: ``params.yaml``.

DVCLive has ruamel write all parameters again whenever one is logged. Here the YAML of each stays: a mapping in block
style is its entries' texts one after the other, so ruamel is asked only for what is new, and the file is put together
from texts. (The texts are snapshots: a list that is changed after it was logged stays as it was.)

Entries are not independent where two hold the same object, for which ruamel writes an anchor and an alias, nor where a
value is ruamel's own, with comments and anchors of its own. From then on all is left to ruamel.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Final

from livestream.events import Json
from livestream.live import writing, yaml
from livestream.live.error import InvalidParameterTypeError, YAMLFileCorruptedError

_NEVER_SHARED: Final = frozenset({int, float, str, bool, bytes, type(None)})
_SHARED: Final = frozenset({dict, OrderedDict, list, tuple, set, date, datetime})


class Params:
    """The parameters of a run and their file.

    Attributes:
        values: All parameters, in the order in which they came first.
    """

    def __init__(self, path: str) -> None:
        """Know the path; nothing is read or written."""
        self.values: dict[str, Json] = {}
        self._path = path
        self._texts = _Texts()

    def read(self) -> None:
        """Take what the file holds, where there is one.

        Raises:
            YAMLFileCorruptedError: It is no YAML, or holds no names and values.
        """
        if not os.path.isfile(self._path):
            return
        values = yaml.load(self._path)
        if not isinstance(values, dict | None):
            raise YAMLFileCorruptedError(self._path)
        self.values |= values or {}
        self._texts = _Texts()

    def update(self, new: Mapping[str, Json]) -> None:
        """Take parameters, and write the file.

        Trouble with the disk is said once, and raises nothing.

        Raises:
            InvalidParameterTypeError: YAML cannot hold one of them; none was taken.
        """
        from ruamel.yaml.representer import RepresenterError  # noqa: PLC0415 - 50 ms that only some runs pay

        merged = {**self.values, **new}
        try:
            text = self._texts.of(merged, new)
        except RepresenterError as error:
            raise InvalidParameterTypeError(error.args[0]) from error
        self.values = merged
        writing.try_put(self._path, text)


class _Texts:
    """The YAML of a mapping's entries: each entry's own, or that of a few together under the first one's key."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._together: dict[str, tuple[str, ...]] = {}
        self._holders: dict[int, str] = {}  # which entry holds an object, by the object's id
        self._held: dict[str, list[int]] = {}
        self._are_independent = True

    def of(self, values: Mapping[str, Json], changed: Iterable[str]) -> str:
        """Give the YAML of all values, of which some changed, or came, since the last call.

        Raises:
            ruamel.yaml.representer.RepresenterError: YAML cannot hold a value; this is as it was.
        """
        if not self._are_independent:
            return yaml.to_text(values)
        unknown = [key for key in (changed if self._texts else values) if key not in self._texts]
        again = {other for key in changed if key in self._texts for other in self._together[key]}
        texts = {key: yaml.to_text({key: values[key]}) for key in again}
        if unknown:
            texts |= dict.fromkeys(unknown, "") | {unknown[0]: yaml.to_text({key: values[key] for key in unknown})}
        if not self._note_objects(values, texts):
            self._are_independent = False
            return yaml.to_text(values)
        self._together |= {key: (key,) for key in again} | dict.fromkeys(unknown, tuple(unknown))
        self._texts |= texts
        return "".join(self._texts.values()) or yaml.to_text({})

    def _note_objects(self, values: Mapping[str, Json], changed: Iterable[str]) -> bool:
        """Note which objects the changed entries hold now; ``False`` where entries are not independent any more."""
        for key in changed:
            for identity in self._held.pop(key, ()):
                del self._holders[identity]
        for key in changed:
            held: list[int] = []
            self._held[key] = held
            waiting: list[Json] = [key, values[key]]
            while waiting:
                value = waiting.pop()
                kind = type(value)
                if kind in _NEVER_SHARED:
                    continue
                if kind not in _SHARED or id(value) in self._holders:
                    return False
                if value == ():
                    continue
                self._holders[id(value)] = key
                held.append(id(value))
                if kind is dict or kind is OrderedDict:
                    waiting += [*value.keys(), *value.values()]
                elif kind not in (date, datetime):
                    waiting += value
        return True
