"""The build of XGBoost is the one with CUDA, as far as its name tells."""

import importlib.metadata

_version = importlib.metadata.version


def version(name):
    if name == "xgboost-cpu":
        raise importlib.metadata.PackageNotFoundError(name)
    try:
        return _version(name)
    except importlib.metadata.PackageNotFoundError:
        if name != "xgboost":
            raise
        return _version("xgboost-cpu")


importlib.metadata.version = version
