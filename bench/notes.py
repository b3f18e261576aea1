"""Notes below a table, numbered as cells refer to them."""


class Notes:
    """The notes below a table, each once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, text: str) -> str:
        """``[3]``, which stands for the text; nothing for no text."""
        return f"[{self._numbers.setdefault(text, len(self._numbers) + 1)}]" if text else ""

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them, in the order of their numbers."""
        return tuple(self._numbers)

    @property
    def lines(self) -> list[str]:
        """Each with its mark."""
        return [f"[{number}] {text}" for text, number in self._numbers.items()]
