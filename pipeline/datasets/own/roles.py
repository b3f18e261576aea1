"""What each column of a user's file is for: said by the user, in options or TOML, and checked against the file."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from ...errors import InputError
from .read import Source, listed

NamedRole = Literal["id", "technologies", "label", "categorical", "numeric", "ignore"]
GUESSED_NAMES = ("technologies", "technology", "tech_stack")


class Roles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Roles of columns, by the names of the columns.

    id: identifiers; None to number the records.
    technologies: the technology column; None to guess it by its name.
    delimiter: between the technologies of a text cell.
    label: what the model learns; None where there is nothing to learn.
    positive: the text that is label 1, where it is not 0/1 or true/false.
    categorical, numeric, ignore: other columns; those not named are told by their values.
    """

    id: str | None = None
    technologies: str | None = None
    delimiter: str | None = None
    label: str | None = None
    positive: str | None = None
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path) -> "Roles":
        """Read a TOML file whose keys are the fields' names.

        Raises:
            InputError: no such file, not TOML, an unknown key or a value of another type.

        """
        try:
            return msgspec.toml.decode(path.read_bytes(), type=cls)
        except OSError as error:
            raise InputError(f"{path}: cannot read the roles ({error.strerror}); name a TOML file") from error
        except (msgspec.DecodeError, UnicodeError) as error:
            keys = ", ".join(cls.__struct_fields__)
            raise InputError(f"{path}: {error}; the keys are: {keys} (the last three are lists)") from error

    def with_options(self, **options: Any) -> "Roles":
        """These roles, with what was said by option in the place of what the file says."""
        return msgspec.structs.replace(self, **{name: value for name, value in options.items() if value is not None})

    def by_column(self) -> "dict[str, NamedRole]":
        """The role that each named column has.

        Raises:
            InputError: a column has two.

        """
        named: list[tuple[NamedRole, str | None]] = [
            ("id", self.id),
            ("technologies", self.technologies),
            ("label", self.label),
            *(("categorical", column) for column in self.categorical),
            *(("numeric", column) for column in self.numeric),
            *(("ignore", column) for column in self.ignore),
        ]
        roles: dict[str, NamedRole] = {}
        for role, column in named:
            if column is None:
                continue
            if roles.setdefault(column, role) != role:
                raise InputError(f"column {column!r} is named for {roles[column]} and for {role}; name it once")
        return roles


def checked_roles(roles: Roles, source: Source) -> Roles:
    """The roles with the technology column named, all of them columns of the file.

    Raises:
        InputError: a named column is missing or has two roles, or no technology column is named or can be guessed.

    """
    for column, role in roles.by_column().items():
        if column not in source.names:
            raise source.missing(column, role)
    if roles.delimiter == "":
        raise InputError("the delimiter is empty; name the text between technologies, for example '|'")
    if roles.positive is not None and roles.label is None:
        raise InputError("a positive value without a label column; name the column by --label")
    if roles.technologies is not None:
        return roles
    taken = roles.by_column()
    guesses = [name for name in source.names if name.casefold() in GUESSED_NAMES and name not in taken]
    if len(guesses) != 1:
        found = f"several could be it ({listed(guesses)})" if guesses else "none has a name to guess it by"
        raise InputError(
            f"{source.path}: which column holds the technologies? {found}; name it by --technologies (of interactions, "
            "name the columns by --user and --item). "
            f"There are: {listed(source.names)}"
        )
    return msgspec.structs.replace(roles, technologies=guesses[0])
