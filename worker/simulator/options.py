"""The command's options that are made from the settings, and a `--help` in which they stand by subject."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

import click

from worker.simulator.settings import Settings, knobs, option_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.simulator.values import Kind

F = TypeVar("F", bound="Callable[..., Any]")
_GENERAL = "Where, who and what"


class _Value(click.ParamType[Any]):
    def __init__(self, kind: Kind) -> None:
        self.name = kind.metavar
        self._kind = kind

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        try:
            return self._kind.read([value] if self._kind.is_many else value)
        except ValueError as exc:
            self.fail(f"{exc}.", param, ctx)


def of_settings(command: F) -> F:
    """Give a command one option for each setting."""
    for knob in reversed(knobs()):
        kind: Kind = knob.metadata["kind"]
        name = option_of(knob.name)
        shown = kind.show(knob.default)
        more: dict[str, Any] = {"type": _Value(kind), "default": shown, "metavar": kind.metavar}
        if kind.is_flag:
            more = {"default": shown}
        elif kind.words:
            more = {"default": shown, "type": click.Choice(kind.words)}
        elif kind.is_many:
            more = {"type": _Value(kind), "multiple": True, "metavar": kind.metavar, "default": shown}
        envvar = f"ROSREESTR_SIMULATOR_{name.replace('-', '_').upper()}"
        flags = f"--{name}/--no-{name}" if kind.is_flag else f"--{name}"
        command = click.option(flags, knob.name, help=knob.metadata["help"], envvar=envvar, show_envvar=True, **more)(
            command
        )
    return command


def settings_of(values: Mapping[str, Any]) -> Settings:
    """The settings from the command's values; each was checked by its option already."""
    chosen: dict[str, Any] = {}
    for knob in knobs():
        kind: Kind = knob.metadata["kind"]
        value = values[knob.name]
        chosen[knob.name] = tuple(one for many in value for one in many) if kind.is_many else kind.read(value)
    return Settings(**chosen)


class GroupedCommand(click.Command):
    """Lists its options by subject."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section for each subject."""
        groups = {knob.name: str(knob.metadata["group"]) for knob in dataclasses.fields(Settings)}
        sections: dict[str, list[tuple[str, str]]] = {_GENERAL: []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(groups.get(str(param.name), _GENERAL), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)
