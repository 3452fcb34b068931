-- Access tokens, and where each step with them stands in the audit.

-- name: add_token
-- Store a new token, with its row in the audit; no row where the name is in use.
with added as (
    insert into tokens (hash, name, role, client, account, ends_at, created_by)
    values (%(hash)s, %(name)s, %(role)s, %(client)s, %(account)s, %(ends_at)s, %(created_by)s)
    on conflict (name) where revoked_at is null do nothing
    returning *
),
noted as (
    insert into audit (call_id, step, actor, origin, action, account, outcome, after)
    select gen_random_uuid(), 'done', created_by, 'shell', 'tokens add', account, 'OK',
           jsonb_build_object('token_id', id, 'name', name, 'role', role, 'client', client, 'ends_at', ends_at)
    from added
)
select id, name, role, client, account, created_at, created_by, ends_at,
       coalesce(ends_at <= clock_timestamp(), false) as has_ended, revoked_at, revoked_by, last_used_at, last_used_from
from added;

-- name: list_tokens
-- All tokens by id; without those that are over, unless they are asked for.
select id, name, role, client, account, created_at, created_by, ends_at,
       coalesce(ends_at <= clock_timestamp(), false) as has_ended, revoked_at, revoked_by, last_used_at, last_used_from
from tokens
where %(with_past)s or (revoked_at is null and coalesce(ends_at > clock_timestamp(), true))
order by id;

-- name: revoke_token
-- Revoke the token of this name that is in use, with its row in the audit.
with revoked as (
    update tokens set revoked_at = clock_timestamp(), revoked_by = %(revoked_by)s
    where name = %(name)s and revoked_at is null
    returning *
),
noted as (
    insert into audit (call_id, step, actor, origin, action, account, outcome, after)
    select gen_random_uuid(), 'done', revoked_by, 'shell', 'tokens revoke', account, 'OK',
           jsonb_build_object('token_id', id, 'name', name, 'role', role, 'client', client)
    from revoked
)
select id, name, role, client, account, created_at, created_by, ends_at,
       coalesce(ends_at <= clock_timestamp(), false) as has_ended, revoked_at, revoked_by, last_used_at, last_used_from
from revoked;

-- name: find_by_name
-- The last token of this name.
select id, name, role, client, account, created_at, created_by, ends_at,
       coalesce(ends_at <= clock_timestamp(), false) as has_ended, revoked_at, revoked_by, last_used_at, last_used_from
from tokens
where name = %(name)s
order by id desc
limit 1;

-- name: find_by_hash
-- The token that somebody showed.
select id, name, role, client, account, created_at, created_by, ends_at,
       coalesce(ends_at <= clock_timestamp(), false) as has_ended, revoked_at, revoked_by, last_used_at, last_used_from
from tokens
where hash = %(hash)s;

-- name: note_use
-- When and from where a token was last used.
update tokens set last_used_at = clock_timestamp(), last_used_from = %(peer)s where id = %(id)s;

-- name: is_any_made
-- Whether a token was ever made.
select exists (select from tokens) as is_any_made;
