-- Who may call the service. A token is shown once, when it is made; nothing that is stored lets anybody in.

create table tokens (
    id              integer generated always as identity primary key,
    -- SHA-256 of the token, which is 32 random bytes: nobody finds them by trying.
    hash            bytea not null unique check (length(hash) = 32),
    name            text not null check (name ~ '^[A-Za-z0-9._-]{1,64}$'),
    role            text not null check (role in ('client', 'viewer', 'operator', 'worker')),
    -- Whose orders a client sees. Several tokens may be one client's: that is how one follows another.
    client          text check (client ~ '^[A-Za-z0-9._-]{1,64}$'),
    -- The account that a worker works for. Not a reference: the token may come first.
    account         text check (account ~ '^[A-Za-z0-9._-]{1,64}$'),
    created_at      timestamptz not null default clock_timestamp(),
    created_by      text not null,
    -- NULL: never.
    ends_at         timestamptz,
    revoked_at      timestamptz,
    revoked_by      text,
    -- To the minute, not to the call.
    last_used_at    timestamptz,
    last_used_from  text,
    check ((role = 'client') = (client is not null)),
    check ((role = 'worker') = (account is not null)),
    check ((revoked_at is null) = (revoked_by is null))
);
-- Rows stay: the audit names them. A name is free again when its token was revoked.
create unique index tokens_in_use_by_name on tokens (name) where revoked_at is null;
