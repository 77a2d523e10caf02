from __future__ import annotations

from pathlib import Path

import pytest
from frameworks_stage import Stage, new_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def stage(template: Path, tmp_path: Path) -> Stage:
    return Stage(template, tmp_path)
