"""What error answers mean: each word that a server can begin one with has one class and one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from redis import exceptions as redis_errors
from redis.connection import DefaultParser

import rosq
from rosq import ScriptFailed, ServerRefused, ServerUnreachable, ServerUnready, errors
from rosq.connection.translating import MEANINGS, Meaning, find_code, is_changed, is_missing, is_wrong_type, translate
from tests.servers import server_binary

PAGE = Path(rosq.__file__).parents[1] / "docs" / "servers.md"
#: Every word that an error answer begins with in the sources of Redis 6.2 to 8.6 and Valkey 7.2 to 9.1, sentinels too.
WORDS = (
    *("ASK", "BUSY", "BUSYGROUP", "BUSYKEY", "CLUSTERDOWN", "CROSSSLOT", "DENIED", "ERR", "EXECABORT", "INPROG"),
    *("INVALIDOBJ", "IOERR", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOADDR", "NOAUTH", "NOGOODPRIMARY"),
    *("NOGOODSLAVE", "NOGROUP", "NOMASTERLINK", "NOPERM", "NOPROTO", "NOQUORUM", "NOREPLICAS", "NOSCRIPT", "NOSUB"),
    *("NOTBUSY", "NOTREADY", "OOM", "READONLY", "REDIRECT", "SYNTAX", "TRYAGAIN", "UNBLOCKED", "UNKILLABLE"),
    *("UNSTABLE", "WRONGPASS", "WRONGTYPE"),
)
#: Those that say that the server can't do it now, or not for us; repeating any other cures nothing.
FOR_NOW = {word for word, meaning in MEANINGS.items() if issubclass(meaning.kind, ServerUnreachable)}


def parse(answer: str) -> Exception:
    """What redis-py makes of an error answer, with or without its first word."""
    error: Exception = DefaultParser.parse_error(answer)
    return error


def spell(word: str) -> str:
    """An answer that begins with a word."""
    return f"{word} 99 10.0.0.1:7000" if word in ("MOVED", "ASK") else f"{word} something is wrong"


def test_the_words_are_those_that_the_server_here_knows() -> None:
    """A newer server's new word is noticed by this."""
    binary = Path(server_binary()).read_bytes()
    found = {word.decode() for word in re.findall(rb"\0-([A-Z][A-Z0-9]{2,}) ", binary)}

    assert {"OOM", "MISCONF", "NOREPLICAS"} <= found
    assert found - set(WORDS) == set()


@pytest.mark.parametrize("word", WORDS)
def test_each_word_has_one_class_and_one_sentence(word: str) -> None:
    told = translate(parse(spell(word)), "redis:6379/0")

    meaning = MEANINGS.get(word, Meaning(ScriptFailed))
    assert type(told) is meaning.kind
    assert isinstance(told, ServerUnreachable | ScriptFailed)
    assert told.code == word
    said = "something" if word == "ERR" else word
    assert str(told).startswith(f"Redis at redis:6379/0 {meaning.what or meaning.kind.what}: {said} ")
    assert str(told).endswith(meaning.todo or meaning.kind.todo or told.reason + ".")


@pytest.mark.parametrize("word", sorted(word for word in FOR_NOW if word.isupper()))
@pytest.mark.parametrize(
    "wrapping",
    [
        "ERR Error running script (call to f_{sha}): @user_script:12: -{answer}",
        "ERR Error running script (call to f_{sha}): @user_script:12: @user_script: 12: -{answer}",
        "EXECABORT Transaction discarded because of: {answer}",
        "{answer} script: {sha}, on @user_script:7.",
    ],
)
def test_what_a_script_or_a_transaction_met_means_the_same(word: str, wrapping: str) -> None:
    answer = wrapping.format(answer=f"{word} something is wrong", sha="0" * 40)
    if word in ("MOVED", "ASK"):
        # A script's own come as they are, or not at all.
        return

    told = translate(parse(answer), "a:1")

    assert type(told) is MEANINGS[word].kind
    assert getattr(told, "code", "") == word


@pytest.mark.parametrize("word", WORDS)
def test_a_word_in_a_name_decides_nothing(word: str) -> None:
    told = translate(parse(f"NOGROUP No such key 'rosq:{{{word}}}:lane:main' or consumer group 'workers'"), "a:1")

    assert (type(told), getattr(told, "code", "")) == (ScriptFailed, "NOGROUP")


@pytest.mark.parametrize(
    ("answer", "code", "kind"),
    [
        ("ERR max number of clients reached", "maxclients", ServerUnready),
        ("ERR max number of clients + cluster connections reached", "maxclients", ServerUnready),
        ("ERR DB index is out of range", "no database", ServerRefused),
        ("ERR invalid DB index", "no database", ServerRefused),
        ("ERR Client sent AUTH, but no password is set", "no password", ServerRefused),
        (
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
            "configuration is correct?",
            "no password",
            ServerRefused,
        ),
        ("ERR invalid password", "WRONGPASS", ServerRefused),
        ("ERR ACL failure in script: User ann has no permissions to run the 'get' command", "NOPERM", ServerRefused),
        ("ERR unknown command 'XAUTOCLAIM'", "ERR", ScriptFailed),
        ("NEWWORD something is wrong", "NEWWORD", ScriptFailed),
        ("no word at all", "", ScriptFailed),
        ("", "", ScriptFailed),
    ],
)
def test_answers_without_a_word_of_their_own_are_told_by_what_they_say(answer: str, code: str, kind: type) -> None:
    told = translate(parse(answer), "a:1")

    assert (type(told), getattr(told, "code", None)) == (kind, code)


def test_questions_about_an_answer_are_the_same_before_and_after_it_is_translated() -> None:
    missing = parse("NOGROUP No such key 'k' or consumer group 'g'")
    foreign = parse("WRONGTYPE Operation against a key holding the wrong kind of value")
    replica = parse("READONLY You can't write against a read only replica.")

    for ask, error in ((is_missing, missing), (is_wrong_type, foreign), (is_changed, replica)):
        others = [each for each in (missing, foreign, replica) if each is not error]
        assert ask(error), error
        assert ask(translate(error, "a:1")), error
        assert not any(ask(each) or ask(translate(each, "a:1")) for each in others)
    assert is_missing(parse("ERR no such key"))
    assert not is_missing("NOGROUP")
    assert find_code(ValueError("WRONGTYPE")) == "WRONGTYPE"


def test_a_handshake_that_fails_is_told_as_tls() -> None:
    told = translate(redis_errors.ConnectionError("Error 1 connecting to h:1. [SSL: WRONG_VERSION_NUMBER] …"), "a:1")

    assert type(told) is errors.ServerUnreachable
    assert "REDIS_TLS" in str(told)


def test_the_page_on_servers_has_the_whole_table() -> None:
    rows = []
    for code, (kind, what, todo) in MEANINGS.items():
        answer = f"`{code}`" if code.isupper() else f"({code})"
        rows.append(f"| {answer} | `{kind.__name__}` | {what or kind.what} | {todo or kind.todo or '–'} |")

    page = PAGE.read_text(encoding="utf-8")

    assert "\n".join(rows) in page, "write this into docs/servers.md:\n" + "\n".join(rows)
