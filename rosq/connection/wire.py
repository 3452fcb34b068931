"""One connection to Redis, for one thread: it sends a command once, and tells plainly when the answer is doubtful.

redis-py's client repeats a command by itself when the answer is lost; a settle that runs twice unseen would hide from
its caller that the first one counted. So the worker talks over a bare connection (`rosq.connection.line`): what is to
be repeated, it repeats itself.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from typing import TYPE_CHECKING, Any, TypeAlias

from redis import exceptions as redis_errors

from rosq import errors
from rosq.clock import boot_time_s
from rosq.connection.alarm import Woken
from rosq.connection.line import Line
from rosq.connection.packing import pack
from rosq.connection.translating import translate

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from rosq.connection.alarm import Alarm
    from rosq.connection.connecting import Connector
    from rosq.connection.line import Connection
    from rosq.scripts.loader import Script

#: Seconds beyond its own timeout after which a blocking command that gave no answer means a dead connection.
_BLOCK_MARGIN_S = 2.0


#: Keys and arguments of one run of a script.
ScriptCall: TypeAlias = "tuple[Sequence[str], Sequence[str | int]]"


class Popping:
    """A BLPOP under way."""

    def __init__(self, fd: int, dead_at_s: float) -> None:
        self._fd = fd
        self._dead_at_s = dead_at_s
        #: Whether an answer has come: an element or none. It isn't looked at: what the lists stand for says more.
        self.is_answered = False
        #: What the script behind it answered, once the block is left; None where there was none, or the server didn't
        #: know it.
        self.answer: Any = None
        self._is_rung = False

    def wait(self, alarm: Alarm, until_s: float | None) -> bool:
        """Wait for an answer, the alarm, or the time.

        Args:
            until_s: By `boot_time_s`; None waits for one of the other two, or until the connection must be dead.

        Returns:
            True if the time came first, and the wait may go on; False if it is over.
        """
        if self.is_answered or self._is_rung:
            return False
        end_s = self._dead_at_s if until_s is None else min(until_s, self._dead_at_s)
        woken = alarm.wait_with(self._fd, max(end_s - boot_time_s(), 0.0))
        self._is_rung, self.is_answered = woken is Woken.RUNG, woken is Woken.READABLE
        return woken is Woken.TIME_IS_OVER and boot_time_s() < self._dead_at_s


class Wire:
    """A connection that is opened by the first call, and opened anew by the first call after any doubt.

    While a call is under way the line isn't the wire's: it is put back when its answer is read. So whatever breaks a
    call off, at any instant (a signal handler that raises), no later call reads its answer.
    """

    def __init__(self, connector: Connector, client_name: str | None = None) -> None:
        self.address = connector.address
        self.redis_settings = connector.settings
        self._connector = connector
        self._client_name = client_name
        self._line: Line | None = None

    @property
    def connected_since_s(self) -> float | None:
        """When this connection was opened, by `boot_time_s`; None while there is none."""
        return None if self._line is None else self._line.opened_s

    def call(self, *command: str | bytes | float) -> Any:
        """Send one command and return its answer; text comes decoded.

        Raises:
            ServerUnreachable: No usable answer. The command may have run or not.
            ScriptFailed: The server refused it for good.
        """
        return self._exchange(pack(command))

    def _exchange(self, packed: bytes) -> Any:
        line, self._line = self._line, None
        try:
            if line is None:
                line = self._connect()
            line.send(packed)
            answer = line.read()
        except (redis_errors.RedisError, OSError) as error:
            raise self._doubt(error, line) from error
        except BaseException:
            _drop(line)
            raise
        self._line = line
        return answer

    def call_many(self, commands: Sequence[Sequence[str | int]]) -> list[Any]:
        """Send commands in one go and return their answers; the first error among them is raised when all are read.

        Raises:
            ServerUnreachable: No usable answer to one of them. Each may have run or not.
            ScriptFailed: The server refused one for good.
        """
        answers = self.try_many(commands)
        for answer in answers:
            if isinstance(answer, errors.ScriptFailed):
                raise answer
        return answers

    def server_ms(self) -> int:
        """Return the server's time in ms, which is that of everything in a queue.

        Raises:
            ServerUnreachable: No usable answer.
        """
        seconds, micros = self.call("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    def try_many(self, commands: Sequence[Sequence[str | bytes | int]]) -> list[Any]:
        """Send commands in one go and return their answers; what the server refuses for good is told in its place, as
        a ScriptFailed, and keeps nothing from the others.

        Raises:
            ServerUnreachable: No usable answer to one of them. Each may have run or not.
        """
        if not commands:
            return []
        answers: list[Any] = []
        line, self._line = self._line, None
        try:
            if line is None:
                line = self._connect()
            line.send(b"".join(pack(tuple(command)) for command in commands))
            for _ in commands:
                try:
                    answers.append(line.read())
                except redis_errors.ResponseError as error:
                    answers.append(error)
        except (redis_errors.RedisError, OSError) as error:
            raise self._doubt(error, line) from error
        except BaseException:
            _drop(line)
            raise
        self._line = line
        return [self._tell_refusal(each) if isinstance(each, Exception) else each for each in answers]

    def run_many(self, script: Script, calls: Sequence[ScriptCall]) -> list[Any]:
        """Run a script once for each pair of keys and arguments, in one go; answers as of `try_many`.

        Raises:
            ServerUnreachable: No usable answer to one of them. Each may have run or not.
        """
        commands = [("EVALSHA", script.sha, len(keys), *keys, *args) for keys, args in calls]
        answers = self.try_many(commands)
        unknown = [at for at, answer in enumerate(answers) if _is_unknown_script(answer)]
        if unknown:
            first = unknown[0]
            with_source = ("EVAL", script.source, *commands[first][2:])
            again = self.try_many([with_source, *(commands[at] for at in unknown[1:])])
            for at, answer in zip(unknown, again, strict=True):
                answers[at] = answer
        return answers

    def _tell_refusal(self, error: Exception) -> errors.ScriptFailed:
        translated = translate(error, self.address)
        translated.__cause__ = error
        if isinstance(translated, errors.ScriptFailed):
            return translated
        self.close()
        raise translated

    def run(
        self,
        script: Script,
        keys: Sequence[str | bytes],
        args: Sequence[str | bytes | int],
        *,
        packed: bytes | None = None,
    ) -> Any:
        """Run a script; a server that doesn't know it (restarted, failed over) is given its source.

        Args:
            packed: Its EVALSHA with these keys and arguments, where the caller has packed it.

        Raises:
            ServerUnreachable: No usable answer. The script may have run or not.
            ScriptFailed: The script failed.
        """
        try:
            return self._exchange(packed or pack(("EVALSHA", script.sha, str(len(keys)), *keys, *args)))
        except errors.ScriptFailed as error:
            if not _is_unknown_script(error):
                raise
        return self._exchange(pack(("EVAL", script.source, len(keys), *keys, *args)))

    def run_each(self, script: Script, calls: Iterable[tuple[Sequence[str], Sequence[str | int]]]) -> Generator[Any]:
        """Run a script once for each pair of keys and arguments, in order; give the answers as they come.

        While one is awaited the next is under way, never more: where an answer is missing, the one after it may have
        run too. Two are under way while an answer is with the caller, and a call is made only when it is to be sent:
        so the server works all the time that the caller does.

        Raises:
            ServerUnreachable: No usable answer to the one whose turn it is.
            ScriptFailed: The script failed.
        """
        rest = iter(calls)
        first = next(rest, None)
        if first is None:
            return
        # It makes sure that the server knows the script.
        answer = self.run(script, *first)
        under_way = 0
        line, self._line = self._line, None
        try:
            if line is None:
                line = self._connect()
            while True:
                try:
                    for keys, args in itertools.islice(rest, 2 - under_way):
                        under_way += 1
                        line.send(pack(("EVALSHA", script.sha, str(len(keys)), *keys, *args)))
                except OSError:
                    # The answer that came before is told all the same.
                    yield answer
                    raise
                yield answer
                if not under_way:
                    return
                answer = line.read()
                under_way -= 1
        except redis_errors.NoScriptError as error:
            raise errors.ServerUnreachable(self.address, "it has forgotten its scripts") from error
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error, self.address) from error
        finally:
            if under_way or self._line is not None:
                # The next command would read an answer that nobody waits for any more.
                _drop(line)
            else:
                self._line = line

    @contextlib.contextmanager
    def popping(
        self,
        keys: Sequence[str],
        timeout_s: float,
        then: bytes | None = None,
    ) -> Iterator[Popping]:
        """Block in one BLPOP on these lists, in a way that can be waited for together with other things.

        Leaving the block before an answer came drops the connection, and with it, maybe, an element that was just
        taken: look at what the lists stand for afterwards. A server that isn't told of that runs what lies behind the
        BLPOP all the same, at its timeout at the latest.

        Args:
            timeout_s: Seconds after which Redis answers with nothing, up to a tenth later.
            then: A script's EVALSHA, packed, that the server runs the moment the BLPOP ends.

        Raises:
            ServerUnreachable: The connection broke.
            ScriptFailed: The server refused one of the two for good.
        """
        is_in_order = False
        line, self._line = self._line, None
        try:
            if line is None:
                line = self._connect()
            # Whole milliseconds, rounded up; Redis reads a timeout of 0 as for ever.
            packed = pack(("BLPOP", *keys, max(math.ceil(timeout_s * 1000), 1) / 1000))
            if then is not None:
                packed += then
            line.send(packed)
            popping = Popping(line.fileno(), boot_time_s() + timeout_s + _BLOCK_MARGIN_S)
            yield popping
            if popping.is_answered:
                line.read()
                if then is not None:
                    with contextlib.suppress(redis_errors.NoScriptError):
                        popping.answer = line.read()
                is_in_order = True
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error, self.address) from error
        finally:
            if is_in_order:
                self._line = line
            else:
                _drop(line)

    def twin(self) -> Wire:
        """Return another connection to the same server, not opened yet."""
        return Wire(self._connector, self._client_name)

    @property
    def is_parents(self) -> bool:
        """Whether its connection is that of the process of which this one was forked off: the next call fails."""
        return self._line is not None and self._line.is_parents

    def close_if_stale(self) -> None:
        """Drop a connection that has something to say although nothing was asked: the server has closed it. And one
        that is the parent's, of which this process was forked off."""
        if self._line is not None and (self._line.is_parents or self._line.is_readable()):
            self.close()

    def close(self) -> None:
        """Drop the connection; the next call opens another."""
        line, self._line = self._line, None
        _drop(line)

    def _connect(self) -> Line:
        connection: Connection = self._connector.make(self._client_name)
        connection.connect()
        return Line(connection)

    def _doubt(self, error: Exception, line: Line | None) -> errors.RosqError:
        translated = translate(error, self.address)
        # After an error answer the connection is in order; after anything else nobody knows what comes next on it. A
        # server that says READONLY, UNBLOCKED or MOVED isn't the right one any more: only a new connection finds its
        # successor.
        if isinstance(error, redis_errors.ResponseError) and isinstance(translated, errors.ScriptFailed):
            self._line = line
        else:
            _drop(line)
        return translated


def _drop(line: Line | None) -> None:
    if line is not None:
        line.close()


def _is_unknown_script(answer: object) -> bool:
    """Whether the server refused a script since it doesn't know it: then nothing of it has run."""
    return isinstance(answer, errors.ScriptFailed) and isinstance(answer.__cause__, redis_errors.NoScriptError)
