from __future__ import annotations

from pathlib import Path

from livestream import config
from livestream.config import DvcConfig

TOKEN = "isat_s3cr3t"


def dvc_environ(folder: Path) -> dict[str, str]:
    """Point DVC's machine and user levels into a test's own folder."""
    return {"DVC_SYSTEM_CONFIG_DIR": str(folder / "system"), "DVC_GLOBAL_CONFIG_DIR": str(folder / "user")}


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def read_repository(folder: Path, text: str) -> DvcConfig:
    write(folder / ".dvc" / "config", text)
    return config.read_dvc_config(folder, dvc_environ(folder))
