"""What is said of a text that isn't one cadastral number."""

from __future__ import annotations

from typing import Final

_MAX_SHOWN: Final = 60


class CadNumError(ValueError):
    """This text isn't one cadastral number that can be ordered.

    Attributes:
        text: What was given, unchanged.
        reason: One sentence: what is wrong and what to do.
        suggestion: A valid number that was probably meant. Never use it without asking a person: a wrong digit is a
            wrong paid extract.
        parts: Where the text holds several numbers: each of them, as it was written; order them one by one. Else empty.
    """

    def __init__(self, text: str, reason: str, *, suggestion: str | None = None, parts: tuple[str, ...] = ()) -> None:
        super().__init__(reason if suggestion is None else f"{reason} Did you mean {suggestion}?")
        self.text = text
        self.reason = reason
        self.suggestion = suggestion
        self.parts = parts

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call the constructor with the message alone and fail in another process.
        return (_rebuild, (self.text, self.reason, self.suggestion, self.parts))


def show(text: str) -> str:
    """Repeat what was given, on one line and not endlessly; escapes show what can't be seen."""
    return repr(text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…")


def _rebuild(text: str, reason: str, suggestion: str | None, parts: tuple[str, ...]) -> CadNumError:
    return CadNumError(text, reason, suggestion=suggestion, parts=parts)
