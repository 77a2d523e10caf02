"""What ``Live`` raises, under DVCLive's names and with its texts, so that code that catches them goes on working.

    DvcLiveError
    ├── InvalidDataTypeError         a value of a type that cannot be logged
    ├── InvalidDvcyamlError          ``dvcyaml`` names a file that is not called dvc.yaml
    ├── InvalidImageNameError        an image's name without one of the known suffixes
    ├── InvalidPlotTypeError         a kind of scikit-learn plot that is not known
    ├── InvalidParameterTypeError    a parameter that YAML cannot hold
    ├── InvalidReportModeError       a report that is none of html, md and notebook
    ├── InvalidNameError             a name that leaves the folder, or is in the way of another (DVCLive has no such)
    ├── MissingPackageError          what was asked for needs a package that is not installed (DVCLive has no such)
    └── YAMLError
        └── YAMLFileCorruptedError   a params.yaml or dvc.yaml that is no YAML

All are ``LivestreamError``.
"""

from __future__ import annotations

from typing import Any, Final

from livestream.errors import LivestreamError

SKLEARN_KINDS: Final = ("calibration", "confusion_matrix", "det", "precision_recall", "roc")


class DvcLiveError(LivestreamError):
    """The base of what ``Live`` raises."""


class InvalidDataTypeError(DvcLiveError):
    """A value's type cannot be logged."""

    def __init__(self, name: str, val: type) -> None:
        self.name = name
        self.val = val
        super().__init__(f"Data '{name}' has not supported type {val}")

    def __reduce__(self) -> tuple[type, tuple[str, type]]:
        """Travel from a worker process whole."""
        return type(self), (self.name, self.val)


class InvalidDvcyamlError(DvcLiveError):
    """The file for DVC's configuration has another name than DVC reads."""

    def __init__(self) -> None:
        super().__init__("`dvcyaml` path must have filename 'dvc.yaml'")


class _NamedError(DvcLiveError):
    _text = "{name}"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(self._text.format(name=name))

    def __reduce__(self) -> tuple[type, tuple[str]]:
        """Travel from a worker process whole."""
        return type(self), (self.name,)


class InvalidImageNameError(_NamedError):
    """The image's name has none of the suffixes .jpg, .jpeg, .gif and .png."""

    _text = "Cannot log image with name '{name}'"


class InvalidPlotTypeError(_NamedError):
    """There is no such kind of scikit-learn plot."""

    _text = "Plot type '{name}' is not supported.\nSupported types are: " + str(list(SKLEARN_KINDS))


class InvalidParameterTypeError(DvcLiveError):
    """YAML cannot hold the parameter."""

    def __init__(self, msg: Any) -> None:
        super().__init__(msg)


class InvalidReportModeError(DvcLiveError):
    """There is no such report."""

    def __init__(self, val: object) -> None:
        super().__init__(f"`report` can only be `None`, `auto`, `html`, `notebook` or `md`. Got {val} instead.")
        self.val = val

    def __reduce__(self) -> tuple[type, tuple[object]]:
        """Travel from a worker process whole."""
        return type(self), (self.val,)


class InvalidNameError(DvcLiveError, ValueError):
    """A name cannot be used: it leaves the run's folder, or another name is in its way; the text says which."""


class MissingPackageError(DvcLiveError, ImportError):
    """What was asked for needs a package that is not installed; the text says how to get it."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        self._parts = (what, package, extra)
        super().__init__(f"{what} needs {package}, which is not installed: python -m pip install 'livestream[{extra}]'")

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        """Travel from a worker process whole."""
        return type(self), self._parts


class YAMLError(DvcLiveError):
    """The base of what goes wrong with a YAML file."""


class YAMLFileCorruptedError(YAMLError):
    """A file that should be YAML is none."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "YAML file structure is corrupted")
        self.path = path

    def __reduce__(self) -> tuple[type, tuple[str]]:
        """Travel from a worker process whole."""
        return type(self), (self.path,)
