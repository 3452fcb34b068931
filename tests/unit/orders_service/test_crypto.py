"""Sealing of passwords and sessions: what opens, what doesn't, and that nothing secret is ever said."""

from __future__ import annotations

import pytest

from orders_service import crypto

# Made by another implementation (Node's crypto, like the old system): scryptSync(secret, "salt", 32), aes-256-gcm.
OLD_VECTORS = [
    ("old-secret", "correct horse", "AAECAwQFBgcICQoLDA0ODw==:PEDgVi9KazRD0JRg49LhGg==:O0MSE9EWH8vFS5qrfw=="),
    (
        "секрет ключа",
        "пароль №1 🔑",
        "8OHSw7Sllod4aVpLPC0eDw==:ALNEVblvihesvviSTgBP8g==:EmNSwvbXKteQLgUmxvMVnysmoBmHMQ==",
    ),
    ("old-secret", "", "EBESExQVFhcYGRobHB0eHw==:c91fIZkpcbYLv/TKeZMWHg==:"),
]

STRONG = "Jd8sK2mQv7XwZr4TnB1yLhPc"


@pytest.fixture
def box():
    return crypto.Secretbox("this year's secret")


@pytest.mark.parametrize("text", ["pass", "пароль №1 🔑", "", "x" * 10_000, '{"AUTH_TOKEN": "1"}'])
def test_a_sealed_text_opens_with_the_same_secret_in_another_process(box, text):
    sealed = box.seal(text, username="rosreestr_user_1", purpose=crypto.SESSION)

    other = crypto.Secretbox("this year's secret")
    assert other.open(sealed, username="rosreestr_user_1", purpose=crypto.SESSION) == text


def test_sealing_the_same_text_twice_never_gives_the_same_result(box):
    sealed = {box.seal("pass", username="a", purpose="password") for _ in range(20)}

    assert len(sealed) == 20


@pytest.mark.parametrize(("secret", "text", "sealed"), OLD_VECTORS)
def test_a_password_of_the_old_system_can_be_read(secret, text, sealed):
    assert crypto.is_old_form(sealed)
    assert crypto.key_id_of(sealed) is None
    assert crypto.Secretbox(secret).open(sealed, username="any", purpose=crypto.PASSWORD) == text
    assert crypto.Secretbox("new", [secret]).open(sealed, username="any", purpose=crypto.PASSWORD) == text


def test_a_session_in_the_old_form_is_refused_since_the_old_system_wrote_none():
    with pytest.raises(crypto.NotSealed):
        crypto.Secretbox("old-secret").open(OLD_VECTORS[0][2], username="a", purpose=crypto.SESSION)


def test_another_secret_is_named_as_the_fault_with_the_account_and_what_to_do(box):
    sealed = box.seal("pass", username="rosreestr_user_1", purpose=crypto.PASSWORD)

    with pytest.raises(crypto.WrongSecret) as caught:
        crypto.Secretbox("last year's secret").open(sealed, username="rosreestr_user_1", purpose=crypto.PASSWORD)

    assert str(caught.value) == (
        "The password of account 'rosreestr_user_1' wasn't sealed with this ROSREESTR_CRYPTO_SECRET: "
        "start with the secret that sealed it, or set the password again."
    )
    assert caught.value.key_id == box.key_id
    assert not isinstance(caught.value, crypto.SealBroken)


def test_another_secret_is_told_for_the_old_form_too():
    with pytest.raises(crypto.WrongSecret, match="'a'"):
        crypto.Secretbox("other").open(OLD_VECTORS[0][2], username="a", purpose=crypto.PASSWORD)


@pytest.mark.parametrize(
    ("username", "purpose"),
    [("rosreestr_user_2", crypto.PASSWORD), ("rosreestr_user_1", crypto.SESSION), ("", crypto.PASSWORD)],
)
def test_a_sealed_text_opens_for_no_other_account_and_no_other_purpose(box, username, purpose):
    sealed = box.seal("pass", username="rosreestr_user_1", purpose=crypto.PASSWORD)

    with pytest.raises(crypto.SealBroken):
        box.open(sealed, username=username, purpose=purpose)


def test_a_username_cannot_run_into_the_purpose(box):
    sealed = box.seal("pass", username='b", "c', purpose="a")

    with pytest.raises(crypto.SealBroken):
        box.open(sealed, username="c", purpose='a", "b')


def test_a_changed_text_never_opens(box):
    sealed = box.seal("pass", username="a", purpose=crypto.PASSWORD)
    form, key_id, salt, body = sealed.split(".")

    for position in range(len(body)):
        changed = body[:position] + ("A" if body[position] != "A" else "B") + body[position + 1 :]
        with pytest.raises((crypto.SealBroken, crypto.NotSealed)):
            box.open(f"{form}.{key_id}.{salt}.{changed}", username="a", purpose=crypto.PASSWORD)
    other_salt = crypto.Secretbox("this year's secret").seal("", username="a", purpose="password").split(".")[2]
    with pytest.raises(crypto.SealBroken):
        box.open(f"{form}.{key_id}.{other_salt}.{body}", username="a", purpose=crypto.PASSWORD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain-password",
        "pass:word:x",
        "s2.0a1b2c3d.AA.AA",
        "s2.0a1b2c3d..",
        "s2.0a1b2c3d.A.A",
        "AAECAwQFBgcICQoLDA0ODw==:AAAA:AAAA",
        "AAECAwQFBgcICQoLDA0ODw==:PEDgVi9KazRD0JRg49LhGg==:O0MSE9EWH8vFS5qrfw==\n",
    ],
)
def test_what_was_never_sealed_is_told_apart_and_not_repeated(box, text):
    with pytest.raises(crypto.NotSealed) as caught:
        box.open(text, username="rosreestr_user_1", purpose=crypto.PASSWORD)

    assert "'rosreestr_user_1'" in str(caught.value)
    assert not text or text not in str(caught.value)


def test_a_rotation_opens_the_old_and_seals_with_the_new():
    before = crypto.Secretbox("first")
    sealed = before.seal("pass", username="a", purpose=crypto.PASSWORD)

    after = crypto.Secretbox("second", previous=["first"])
    again = after.seal(after.open(sealed, username="a", purpose="password"), username="a", purpose="password")

    assert crypto.key_id_of(sealed) == before.key_id != after.key_id == crypto.key_id_of(again)
    assert not after.is_current(sealed)
    assert after.is_current(again)
    assert crypto.Secretbox("second").open(again, username="a", purpose="password") == "pass"


def test_the_environment_may_name_earlier_secrets_one_a_line():
    sealed = crypto.Secretbox("first").seal("pass", username="a", purpose="password")

    # Weak ones open what they sealed: only what seals must be strong.
    box = crypto.Secretbox.from_env({crypto.SECRET_ENV: STRONG, crypto.PREVIOUS_SECRETS_ENV: "second\nfirst\n"})

    assert box.open(sealed, username="a", purpose="password") == "pass"


@pytest.mark.parametrize("environ", [{}, {crypto.SECRET_ENV: ""}, {crypto.SECRET_ENV: "  "}])
def test_a_missing_secret_is_refused_in_one_sentence(environ):
    with pytest.raises(crypto.MissingSecret) as caught:
        crypto.require_secret(environ)

    assert str(caught.value) == (
        "ROSREESTR_CRYPTO_SECRET isn't set: set it to the secret that seals the accounts' passwords."
    )
    with pytest.raises(crypto.MissingSecret):
        crypto.Secretbox.from_env(environ)


WEAK = [
    ("s", "too short"),
    ("fifteen letters", "too short"),
    ("aaaaaaaaaaaaaaaaaaaaaaaa", "repeats a few characters"),
    ("abababababababababababab", "repeats a few characters"),
    ("dev-only-crypto-secret", "stands in examples"),
    ("Dev_Only Crypto_Secret", "stands in examples"),
    ("CHANGE-ME-IN-PRODUCTION", "stands in examples"),
    ("your-secret-key-here", "stands in examples"),
    ("12345678901234567890123456789012", "stands in examples"),
]


@pytest.mark.parametrize(("secret", "why"), WEAK)
def test_a_secret_that_can_be_guessed_is_refused_and_not_repeated(secret, why):
    with pytest.raises(crypto.WeakSecret) as caught:
        crypto.Secretbox.from_env({crypto.SECRET_ENV: secret})

    assert why in str(caught.value)
    assert "ROSREESTR_CRYPTO_SECRET_PREVIOUS" in str(caught.value), "says the way out"
    assert len(secret) < 5 or secret not in str(caught.value)


@pytest.mark.parametrize("secret", [secret for secret, _ in WEAK])
def test_a_weak_secret_will_do_where_the_whole_system_is_for_trying_out(secret):
    assert crypto.Secretbox.from_env({crypto.SECRET_ENV: secret, crypto.DEV_ENV: "1"}).key_id


@pytest.mark.parametrize("secret", ["secret of the tests", STRONG, "пароль из многих слов, который я помню"])
def test_a_secret_that_nobody_guesses_is_taken(secret):
    assert crypto.Secretbox.from_env({crypto.SECRET_ENV: secret}).key_id == crypto.Secretbox(secret).key_id


def test_an_empty_earlier_secret_is_refused():
    with pytest.raises(crypto.MissingSecret):
        crypto.Secretbox("new", [""])


def test_nothing_secret_shows_in_a_box_or_an_error(box):
    sealed = box.seal("pa55w0rd", username="a", purpose="password")

    with pytest.raises(crypto.WrongSecret) as caught:
        crypto.Secretbox("another secret").open(sealed, username="a", purpose="password")

    said = repr(box) + repr(caught.value) + str(vars(caught.value))
    assert not any(word in said for word in ("this year's", "another secret", "pa55w0rd", sealed))


def test_the_key_is_derived_once_per_secret_and_salt(box):
    crypto._derive.cache_clear()

    sealed = [box.seal("pass", username="a", purpose="password") for _ in range(5)]
    for text in sealed:
        box.open(text, username="a", purpose="password")

    assert crypto._derive.cache_info().misses == 2  # the key id, and the key
