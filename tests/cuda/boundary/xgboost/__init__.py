"""In the place of XGBoost with CUDA: the one that is installed, which says that it is on the device, and may fail."""

import os
import sys
from pathlib import Path

FAULT = os.environ.get("FAULT", "")
HERE = str(Path(__file__).resolve().parent.parent)

del sys.modules["xgboost"]
sys.path.remove(HERE)
import xgboost  # noqa: E402 - the real one
from xgboost.core import XGBoostError  # noqa: E402

sys.path.insert(0, HERE)
Real = xgboost.Booster


class Booster(Real):
    """On the device from where it is sent there on."""

    on_device = False

    def set_param(self, params, value=None):
        self.on_device = isinstance(params, dict) and params.get("device") == "cuda"
        super().set_param({"device": "cpu"} if self.on_device else params, value)

    def save_config(self):
        told = super().save_config()
        falls_back = FAULT == "no CUDA in it"
        return told.replace('"device":"cpu"', '"device":"cuda:0"') if self.on_device and not falls_back else told

    def predict(self, *values, **named):
        if self.on_device and FAULT == "memory":
            raise XGBoostError("[10:00:00] common.cuh:56: Memory allocation error: std::bad_alloc: out of memory")
        scores = super().predict(*values, **named)
        return scores * float("nan") if self.on_device and FAULT == "NaN" else scores


xgboost.Booster = Booster
