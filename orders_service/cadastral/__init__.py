"""The cadastral number (КН): what is accepted, what is only suggested, and when two spellings are one object.

A number is `округ:район:квартал:объект`. A wrong digit buys a wrong, paid extract, so nothing is guessed: what loses
no information (spaces, look-alike colons, a prefix) is normalised silently; what could change a digit is refused with
a suggestion that a person confirms, and so is a number that stands in other words.

    CadNumError(ValueError)      .text, .reason, .suggestion, .parts

This package is pure: no database, no network, no settings. The worker imports it too.
"""

from orders_service.cadastral.errors import CadNumError
from orders_service.cadastral.number import comparison_key, find_key, parse, same_object, split

__all__ = ["CadNumError", "comparison_key", "find_key", "parse", "same_object", "split"]
