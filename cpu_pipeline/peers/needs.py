"""What the peers need: their libraries, all of which the extra ``peers`` installs."""

from ...pipeline.needs import Need, package


def peer(import_name: str) -> Need:
    """Need that a library of the extra can be imported."""
    return package(import_name, "'technobench[peers]'")
