"""Prices of machines, the user's own: a TOML file with the date and source of each. None is built in."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ...pipeline.errors import InputError

DEVICES = ("cpu", "cuda")
_REQUIRED = {"name": str, "device": str, "per_hour": float, "date": date, "source": str}
_OPTIONAL = {"cpu": str, "cores": int, "gpu": str}
_WORDS = {str: "text in quotes", float: "a number", int: "a whole number", date: "a date, as 2026-01-31"}


@dataclass(frozen=True)
class MachinePrice:
    """What an hour of one machine costs, all of it, and which measured machines are meant.

    device: of the variants that the price is for, ``cpu`` or ``cuda``: a machine is dearer with its GPU.
    cpu, gpu: a part of the name in the host's fingerprint, in any case; cores: all of those it has. None fits any.
    """

    name: str
    device: str
    per_hour: float
    date: date
    source: str
    cpu: str | None = None
    cores: int | None = None
    gpu: str | None = None

    def fits(self, host: Mapping[str, Any], device: str) -> bool:
        """Whether it is the price of this class of host for variants of this device."""
        parts = ((self.cpu, host.get("cpu")), (self.gpu, host.get("gpu")))
        named = all(part is None or part.lower() in str(name or "").lower() for part, name in parts)
        return named and self.device == device and self.cores in (None, host.get("cores"))


@dataclass(frozen=True)
class Prices:
    """The prices of a file, in one currency. where: the file, for messages."""

    currency: str
    machines: tuple[MachinePrice, ...]
    where: str

    def of(self, host: Mapping[str, Any], device: str) -> MachinePrice:
        """The price of a class of host.

        Raises:
            InputError: none fits, or several do.

        """
        found = [machine for machine in self.machines if machine.fits(host, device)]
        if not found:
            keys = {"device": device, **{key: host[key] for key in _OPTIONAL if key in host}}
            if device != "cuda":
                keys.pop("gpu", None)
            wanted = ", ".join(
                f'{key} = "{said}"' if isinstance(said, str) else f"{key} = {said}" for key, said in keys.items()
            )
            raise InputError(f"{self.where}: no [[machine]] fits one that was measured; add one with {wanted}")
        if len(found) > 1:
            names = " and ".join(repr(machine.name) for machine in found)
            raise InputError(
                f"{self.where}: {names} all fit {machine_name(host, device)}; tell them apart by cpu, cores or gpu"
            )
        return found[0]


def machine_name(host: Mapping[str, Any], device: str) -> str:
    """A class of host in words, as far as it matters for variants of a device."""
    name = f"{host.get('cpu', 'unknown CPU')}, {host.get('cores', '?')} cores"
    return f"{host.get('gpu', 'GPU not recorded')}, {name}" if device == "cuda" else name


def prices_of(text: str, where: str) -> Prices:
    """The prices that a file's text tells.

    Raises:
        InputError: it is no TOML, has a key too many or too few, or a value that cannot be a price.

    """
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{where}: no TOML ({error})") from None
    _refuse_others(content, {"currency", "machine"}, where)
    currency = _text(content.get("currency"), "currency", where)
    machines = content.get("machine")
    if not isinstance(machines, list) or not machines or not all(isinstance(each, dict) for each in machines):
        raise InputError(f"{where}: has no [[machine]]; each price is one, as docs/prices.example.toml shows")
    return Prices(
        currency, tuple(_machine(each, f"{where}: [[machine]] {n}") for n, each in enumerate(machines, 1)), where
    )


def _machine(content: dict[str, Any], where: str) -> MachinePrice:
    _refuse_others(content, _REQUIRED.keys() | _OPTIONAL.keys(), where)
    missing = [name for name in _REQUIRED if name not in content]
    if missing:
        raise InputError(f"{where}: has no {' and no '.join(missing)}")
    values = {name: _value(said, name, where) for name, said in content.items()}
    if values["device"] not in DEVICES:
        raise InputError(f"{where}: device is {values['device']!r}; it is one of {', '.join(DEVICES)}")
    if not values.keys() & _OPTIONAL.keys():
        raise InputError(
            f"{where}: says of no machine which it is; give cpu, cores or gpu as 'technobench doctor' shows them"
        )
    if "gpu" in values and values["device"] != "cuda":
        raise InputError(f'{where}: gpu is for device = "cuda"')
    if not (math.isfinite(values["per_hour"]) and values["per_hour"] > 0):
        raise InputError(f"{where}: per_hour is {values['per_hour']:g}; write what an hour costs you, above 0")
    return MachinePrice(**values)


def _value(said: object, name: str, where: str) -> Any:
    kind = (_REQUIRED | _OPTIONAL)[name]
    if kind is str:
        return _text(said, name, where)
    if kind is float and type(said) is int:
        said = float(said) if abs(said) < 2**63 else math.inf
    if isinstance(said, bool | datetime) or not isinstance(said, kind):
        raise InputError(f"{where}: {name} must be {_WORDS[kind]}")
    return said


def _text(said: object, name: str, where: str) -> str:
    if not isinstance(said, str) or not said.strip() or not said.isprintable():
        raise InputError(f"{where}: {name} must be {_WORDS[str]}, in one line and not empty")
    return said


def _refuse_others(content: Mapping[str, Any], known: set[str], where: str) -> None:
    others = sorted(content.keys() - known)
    if others:
        raise InputError(f"{where}: no key {others[0]!r}; there are: {', '.join(sorted(known))}")
