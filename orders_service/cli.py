"""The command `orders-service`."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from typing import Any, Final, NoReturn

import click

from orders_service import errors
from orders_service.channel.settings import ChannelInvalid
from orders_service.commands import language
from orders_service.commands.context import SECRETS, Context, Failure, Unreachable, WrongSetting
from orders_service.commands.language import Language
from orders_service.commands.language.showing import HelpFormatter, ToldError
from orders_service.crypto import CryptoError, MissingSecret
from orders_service.settings import DEFAULT_PORT
from rosq import InvalidSettings
from rosq.commands import streams
from rosq.commands.values import Text, require_text
from rosq.secret_files import SecretFiles

#: Where each command is. Imported when it is asked for: `orders list` needs no database driver, `--help` needs nothing.
_COMMANDS: Final = {
    "serve": "orders_service.commands.serve:serve",
    "migrate": "orders_service.commands.migrate:migrate",
    "accounts": "orders_service.commands.accounts:accounts",
    "orders": "orders_service.commands.orders:orders",
    "extracts": "orders_service.commands.extracts:extracts",
    "tokens": "orders_service.commands.tokens:tokens",
    "webhooks": "orders_service.commands.webhooks:webhooks",
    "audit": "orders_service.commands.audit:audit",
    "dev": "orders_service.dev.command:dev",
}


#: How click tells of arguments that nobody asked for, followed by what they were.
_TOO_MANY: Final = "unexpected extra argument"


class LazyGroup(click.Group):
    """A group whose commands are imported when needed, and whose errors are sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which help shows them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        require_text(command)
        _speak(command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the language of the locale, unless --lang says another."""
        language.choose(ctx, language.of_environment(os.environ))
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what goes wrong becomes one sentence on stderr and an exit code."""
        try:
            return self._invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            # The page of a group that was named alone: no error, and Russian already.
            raise
        except click.ClickException as error:
            if language.current() is not Language.RUSSIAN:
                raise
            raise ToldError(error) from error

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except errors.DatabaseUnavailable as error:
            raise Unreachable(str(error)) from error
        except (errors.SettingsInvalid, errors.Unsafe, MissingSecret, ChannelInvalid, InvalidSettings) as error:
            raise WrongSetting(str(error)) from error
        except (errors.OrdersServiceError, CryptoError) as error:
            raise Failure(str(error)) from error
        except click.UsageError as error:
            if _TOO_MANY not in error.message:
                raise
            # What was typed too much may be a password: it isn't repeated.
            path = error.ctx.command_path if error.ctx else "orders-service"
            raise click.UsageError(
                f"There are too many words after `{path}`; a password is asked for, or read from standard input.",
                error.ctx,
            ) from error


class _Context(click.Context):
    """Writes help in the language of the command."""

    formatter_class = HelpFormatter


LazyGroup.context_class = _Context


def _speak(command: click.Command) -> None:
    """Let a command and those below it show their help in the language of the command."""
    command.context_class = _Context
    first = inspect.cleandoc(command.help or "").partition("\n\n")[0]
    command.short_help = first if language.current() is Language.RUSSIAN else None
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _speak(inner)


def _choose(ctx: click.Context, _: click.Parameter, said: str | None) -> None:
    if said:
        language.choose(ctx, Language(said))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--host",
    type=Text(),
    envvar="ORDERS_SERVICE_HOST",
    default="",
    show_default="127.0.0.1",
    show_envvar=True,
    help="Where `accounts` and `orders` find the service.",
)
@click.option(
    "--port",
    type=Text(),
    envvar="ORDERS_SERVICE_PORT",
    default=str(DEFAULT_PORT),
    show_default=True,
    show_envvar=True,
    help="Its port, or tcp://HOST:PORT as Kubernetes sets it for a Service of that name.",
)
@click.option(
    "--lang",
    envvar=language.VARIABLE,
    type=click.Choice([one.value for one in Language]),
    is_eager=True,
    expose_value=False,
    callback=_choose,
    show_envvar=True,
    help="In which language people are told; statuses are Russian in both.  [default: by the locale]",
)
@click.version_option(package_name="rosq")
@click.pass_context
def cli(ctx: click.Context, host: str, port: str) -> None:
    """Orders of property extracts: the service, and what people do with it.

    Where the service asks for an access token, ORDERS_SERVICE_TOKEN has it, or a file that ORDERS_SERVICE_TOKEN_FILE
    names; ORDERS_SERVICE_TLS=1 speaks TLS, with the authority in ORDERS_SERVICE_TLS_CA_FILE.

    \b
    Examples:
      orders-service migrate
      orders-service serve
      orders-service accounts add rosreestr_user_1 --declarant-category 357039000000
      orders-service orders submit --cad-num 77:01:0001001:1001 --wait
      orders-service orders download 1

    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a server can't be reached, 6 done, but the output can't be written.
    """
    # Only who calls the service reads these: the others don't fail by what a platform put there.
    environ = {**os.environ, "ORDERS_SERVICE_HOST": host, "ORDERS_SERVICE_PORT": port}
    ctx.obj = Context(environ=SecretFiles(environ, SECRETS))


def main() -> NoReturn:
    """Run the command line, and end the process with its exit code.

    What can't be written decides nothing: an order that was accepted is told as that by the exit code, whatever the
    terminal's encoding, a closed pipe or a full disk make of the words.
    """
    # grpc's own lines on stderr say in ten lines of C++ what our one sentence says. Read when grpc is first used.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    with streams.writing() as out:
        code: object = 0
        try:
            cli.main(prog_name="orders-service")
        except SystemExit as error:
            code = error.code
        code = out.finish(code if isinstance(code, int) else 0)
    sys.exit(code)


if __name__ == "__main__":
    main()
