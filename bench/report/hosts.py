"""What machines are called in a report: in full, and among others by what tells them apart."""

from collections.abc import Mapping, Sequence
from typing import Any

_Host = Mapping[str, Any]
_WORDS = {
    "cpu": "{}",
    "architecture": "{}",
    "cores": "{} cores",
    "memory_gib": "{} GiB",
    "gpu": "{}",
    "gpu_driver": "a driver for {}",
    "system": "{}",
}
_TELLING = ("gpu", "cpu", "cores", "memory_gib", "gpu_driver", "architecture", "system")
"""What tells hosts apart, the most telling first."""


def host_text(host: _Host) -> str:
    """A host's fingerprint in words: what it is known to say, then whatever else is in it."""
    names = [*_WORDS, *(name for name in host if name not in _WORDS)]
    return ", ".join(_part(host, name) for name in names if host.get(name) is not None) or "unknown host"


def short_name(host: _Host, hosts: Sequence[_Host]) -> str:
    """As much of a host as tells it from the others; nothing where there are none."""
    others, told = [other for other in hosts if other != host], []
    for name in [*_TELLING, *(name for each in hosts for name in each if name not in _TELLING)]:
        alike = [other for other in others if other.get(name) == host.get(name)]
        if len(alike) < len(others):
            told.append(_part(host, name))
        others = alike
    return ", ".join(told)


def _part(host: _Host, name: str) -> str:
    if (value := host.get(name)) is None:
        return f"no {name.replace('gpu', 'GPU').replace('_', ' ')} named"
    return _WORDS.get(name, f"{name} {{}}").format(value)
