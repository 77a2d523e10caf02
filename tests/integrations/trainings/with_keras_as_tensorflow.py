"""Run a training with the real dvclive.keras, which takes Keras from TensorFlow: 270 MB that nothing here needs."""

from __future__ import annotations

import os
import runpy
import sys
from types import SimpleNamespace
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras

modules: dict[str, Any] = sys.modules
modules["tensorflow"] = SimpleNamespace(keras=keras)
import dvclive.keras  # noqa: F401 - the training finds it imported

del modules["tensorflow"]  # Keras looks for it, too
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
