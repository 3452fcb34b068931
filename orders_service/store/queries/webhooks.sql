-- Webhooks: the addresses of clients' tokens, and how they do.

-- name: find_token
-- The token of this name that is in use, locked: so that two who set its webhook come one after the other.
select id, role, client
from tokens
where name = %(name)s and revoked_at is null and coalesce(ends_at > clock_timestamp(), true)
for no key update;

-- name: find_by_name
-- The webhook of the last token of this name, and how much waits for it.
select
    webhooks.id, tokens.id as token_id, tokens.name as token, tokens.client,
    tokens.revoked_at is null and coalesce(tokens.ends_at > clock_timestamp(), true) as is_token_in_use,
    webhooks.url, webhooks.is_private_allowed, webhooks.created_at, webhooks.created_by,
    case when webhooks.previous_until > clock_timestamp() then webhooks.previous_until end as previous_until,
    webhooks.off_at, webhooks.off_by, webhooks.off_reason,
    webhooks.failing_since, webhooks.failures, webhooks.last_delivered_at, webhooks.last_failed_at, webhooks.last_error,
    (select count(*) from webhook_notifications where webhook_id = webhooks.id and state in ('pending', 'behind')) as waiting
from tokens
join webhooks on webhooks.token_id = tokens.id
where tokens.name = %(name)s
order by tokens.id desc
limit 1;

-- name: add_webhook
-- Give the token an address, with its row in the audit; of the address that has the host alone: the rest may hold a secret.
with added as (
    insert into webhooks (token_id, url, is_private_allowed, secret_sealed, created_by)
    values (%(token_id)s, %(url)s, %(is_private_allowed)s, %(secret_sealed)s, %(by)s)
    returning token_id, is_private_allowed
)
insert into audit (call_id, step, actor, origin, action, outcome, after)
select gen_random_uuid(), 'done', %(by)s::text, 'shell', 'tokens webhook set', 'OK',
       jsonb_build_object('token_id', token_id, 'name', %(name)s::text, 'host', %(host)s::text, 'is_private_allowed', is_private_allowed)
from added;

-- name: change_webhook
-- Give the webhook another address, and switch it on, with its row in the audit.
with before as (
    select token_id, off_reason, is_private_allowed from webhooks where token_id = %(token_id)s
),
changed as (
    update webhooks
    set url = %(url)s, is_private_allowed = %(is_private_allowed)s, off_at = null, off_by = null, off_reason = null,
        failing_since = null, failures = 0, paused_until = null, last_error = null
    where token_id = %(token_id)s
    returning token_id, is_private_allowed
)
insert into audit (call_id, step, actor, origin, action, outcome, before, after)
select gen_random_uuid(), 'done', %(by)s::text, 'shell', 'tokens webhook set', 'OK',
       jsonb_build_object('off_reason', before.off_reason, 'is_private_allowed', before.is_private_allowed),
       jsonb_build_object('token_id', token_id, 'name', %(name)s::text, 'host', %(host)s::text, 'is_private_allowed', changed.is_private_allowed)
from changed join before using (token_id);

-- name: rotate_secret
-- Let another secret sign, and the one before beside it for a while, with its row in the audit.
with changed as (
    update webhooks
    set previous_secret_sealed = secret_sealed, previous_until = clock_timestamp() + make_interval(secs => %(keep_s)s),
        secret_sealed = %(secret_sealed)s
    where id = %(id)s
    returning token_id, previous_until
)
insert into audit (call_id, step, actor, origin, action, outcome, after)
select gen_random_uuid(), 'done', %(by)s::text, 'shell', 'tokens webhook rotate', 'OK',
       jsonb_build_object('token_id', token_id, 'name', %(name)s::text, 'previous_until', previous_until)
from changed;

-- name: switch_off
-- Send nothing there any more, with its row in the audit where no call has one; no row where that is so already.
with changed as (
    update webhooks set off_at = clock_timestamp(), off_by = %(by)s::text, off_reason = %(reason)s::text
    where id = %(id)s and off_at is null
    returning token_id
),
noted as (
    insert into audit (call_id, step, actor, origin, action, reason, outcome, after)
    select gen_random_uuid(), 'done', %(by)s::text, %(origin)s::text, 'tokens webhook off', %(reason)s::text, 'OK',
           jsonb_build_object('token_id', token_id)
    from changed
    where %(origin)s::text is not null
)
select token_id from changed;

-- name: switch_on
-- Send there what happens from now on, with its row in the audit where no call has one.
with changed as (
    update webhooks
    set off_at = null, off_by = null, off_reason = null, failing_since = null, failures = 0, paused_until = null
    where id = %(id)s and off_at is not null
    returning token_id
)
insert into audit (call_id, step, actor, origin, action, outcome, after)
select gen_random_uuid(), 'done', %(by)s::text, %(origin)s::text, 'tokens webhook on', 'OK', jsonb_build_object('token_id', token_id)
from changed
where %(origin)s::text is not null;

-- name: give_up_all
-- What waited for a webhook that was switched off: a person may have it sent again.
update webhook_notifications
set state = 'given_up', finished_at = clock_timestamp(), error = %(reason)s
where webhook_id = %(id)s and state in ('pending', 'behind');

-- name: list_lanes
-- Each webhook, and how long it is left in peace: what the senders read. Those that are off, too: what is left of them on the queue ends soon.
select id, greatest(0, coalesce(extract(epoch from paused_until - clock_timestamp()), 0))::double precision as pause_s
from webhooks
order by id;
