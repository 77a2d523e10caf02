"""What a user can set, where it is read from, and which source wins.

Nothing is read at import: the environment is a ``Mapping`` and folders are ``Path`` arguments, so that the daemon can
resolve the settings of another process's run, and a test needs no patching. A LIVESTREAM_* variable that holds nonsense
is an error, because silently running with another value loses data later. Everything about the Studio is forgiving as
its stock client is: a broken DVC config must not stop a training, so it is skipped and reported in ``problems``.

    variables   every environment variable, for people
    settings    the LIVESTREAM_* variables
    dvc         DVC's config files, INI as configobj writes it
    studio      where updates go and with whose token, decided from all of it
    local       a Studio on this machine
    secret      tokens that do not show themselves
    files       the user's folders, small files
"""

from __future__ import annotations

from livestream.config.dvc import DvcConfig, Stamp, dvc_config_files, dvc_stamp, find_dvc_root, read_dvc_config
from livestream.config.files import MAX_CONFIG_BYTES, livestream_config_folder, studio_data_folder
from livestream.config.local import (
    LocalStudio,
    announce_local_studio,
    read_local_studio,
    retract_local_studio,
    with_local_studio,
)
from livestream.config.secret import Secret, fingerprint
from livestream.config.settings import (
    CI_END_WAIT_S,
    DEFAULT_ORPHAN_AFTER_S,
    Durability,
    Settings,
    SpoolMode,
    read_settings,
    spool_folder,
)
from livestream.config.studio import Source, StudioArguments, StudioConfig, resolve_studio, to_bool
from livestream.config.variables import DEFAULT_ENDPOINT, DEFAULT_STUDIO_URL, VARIABLES, Variable
from livestream.errors import ConfigError

__all__ = [
    "CI_END_WAIT_S",
    "DEFAULT_ENDPOINT",
    "DEFAULT_ORPHAN_AFTER_S",
    "DEFAULT_STUDIO_URL",
    "MAX_CONFIG_BYTES",
    "VARIABLES",
    "ConfigError",
    "Durability",
    "DvcConfig",
    "LocalStudio",
    "Secret",
    "Settings",
    "Source",
    "SpoolMode",
    "Stamp",
    "StudioArguments",
    "StudioConfig",
    "Variable",
    "announce_local_studio",
    "dvc_config_files",
    "dvc_stamp",
    "find_dvc_root",
    "fingerprint",
    "livestream_config_folder",
    "read_dvc_config",
    "read_local_studio",
    "read_settings",
    "resolve_studio",
    "retract_local_studio",
    "spool_folder",
    "studio_data_folder",
    "to_bool",
    "with_local_studio",
]
