-- What is to be told to webhooks: onto the queue, each try, and what people ask of it.

-- name: try_lock_relay
-- One relay at a time: two would wait for each other's rows.
select pg_try_advisory_xact_lock(%(key)s) as is_mine;

-- name: take_unrelayed
-- What isn't on the queue yet, locked until it is.
select id, webhook_id
from webhook_notifications
where state = 'pending' and relayed_at is null and id > %(after_id)s
order by id
limit %(limit)s
for update skip locked;

-- name: find_behind
-- Those of them that have an earlier one before them, of the same order. Whoever ends that one a moment later waits for us, and finds them behind.
select later.id
from webhook_notifications as later
join webhook_notifications as earlier
    on earlier.webhook_id = later.webhook_id and earlier.order_id = later.order_id and earlier.id < later.id
where later.id = any(%(ids)s::bigint[]) and earlier.state in ('pending', 'behind')
for share of earlier;

-- name: mark_behind
-- These come after another one.
update webhook_notifications set state = 'behind' where id = any(%(ids)s::bigint[]);

-- name: mark_relayed
-- These are on the queue now.
update webhook_notifications set relayed_at = clock_timestamp() where id = any(%(ids)s::bigint[]);

-- name: page_of_relayed
-- What the queue should have: relayed a while ago and not over.
select id
from webhook_notifications
where id > %(after_id)s and state = 'pending' and relayed_at < clock_timestamp() - make_interval(secs => %(margin_s)s)
order by id
limit %(limit)s;

-- name: page_of_a_webhook
-- What the queue should have for one webhook.
select id
from webhook_notifications
where webhook_id = %(webhook_id)s and id > %(after_id)s and state = 'pending' and relayed_at is not null
order by id
limit %(limit)s;

-- name: relay_again
-- The queue lost these, or ended them without a word.
update webhook_notifications
set relayed_at = null
where id = any(%(ids)s::bigint[]) and state = 'pending' and relayed_at < clock_timestamp() - make_interval(secs => %(margin_s)s);

-- name: call_forgotten
-- Those that are behind nothing any more, and that nobody called: somebody took rows away by hand.
update webhook_notifications as later
set state = 'pending'
where later.state = 'behind' and not exists (
    select from webhook_notifications as earlier
    where earlier.webhook_id = later.webhook_id and earlier.order_id = later.order_id and earlier.id < later.id
      and earlier.state in ('pending', 'behind')
);

-- name: forget_old
-- Some of what was over long ago.
delete from webhook_notifications
where id in (
    select id from webhook_notifications
    where finished_at < clock_timestamp() - make_interval(secs => %(keep_s)s)
    limit %(limit)s
);

-- name: look
-- All that a try must know.
select
    notifications.state, notifications.webhook_id, notifications.order_id, notifications.attempts,
    extract(epoch from clock_timestamp() - notifications.tried_from)::double precision as age_s,
    webhooks.token_id, webhooks.url, webhooks.is_private_allowed, webhooks.off_reason, webhooks.secret_sealed,
    case when webhooks.previous_until > clock_timestamp() then webhooks.previous_secret_sealed end as previous_secret_sealed,
    greatest(0, coalesce(extract(epoch from webhooks.paused_until - clock_timestamp()), 0))::double precision as pause_s,
    tokens.revoked_at is null and coalesce(tokens.ends_at > clock_timestamp(), true) as is_token_in_use,
    exists (
        select from webhook_notifications as earlier
        where earlier.webhook_id = notifications.webhook_id and earlier.order_id = notifications.order_id
          and earlier.id < notifications.id and earlier.state in ('pending', 'behind')
    ) as is_behind,
    events.id as event_id, events.at, events.actor, events.kind, events.from_state::text, events.to_state::text, events.reason
from webhook_notifications as notifications
join webhooks on webhooks.id = notifications.webhook_id
join tokens on tokens.id = webhooks.token_id
join order_events as events on events.id = notifications.event_id
where notifications.id = %(id)s;

-- name: begin_try
-- A try counts from before it is made: one that kills its sender counts, too.
update webhook_notifications
set attempts = attempts + 1, attempted_at = clock_timestamp()
where id = %(id)s and state = 'pending'
returning attempts;

-- name: note_taken
-- The address takes what is sent there. (Not written anew each time.) Answers for how long nothing had been taken.
with before as (
    select id, failing_since from webhooks
    where id = %(webhook_id)s
      and (failures > 0 or last_delivered_at is null or last_delivered_at < clock_timestamp() - interval '10 seconds')
    for no key update
)
update webhooks
set failing_since = null, failures = 0, paused_until = null, last_delivered_at = clock_timestamp()
from before
where webhooks.id = before.id
returning coalesce(extract(epoch from clock_timestamp() - before.failing_since), 0)::double precision as failed_s;

-- name: note_not_taken
-- The address didn't take what was sent there. The pause grows with each failure in a row from the third on, up to five minutes.
update webhooks
set failures = failures + 1, failing_since = coalesce(failing_since, clock_timestamp()), last_failed_at = clock_timestamp(),
    last_error = %(error)s::text,
    paused_until = greatest(
        clock_timestamp() + make_interval(secs => %(pause_s)s),
        case when failures >= 2 then clock_timestamp() + make_interval(secs => least(300, %(rest_s)s * 2 ^ least(failures - 2, 10))) end
    )
where id = %(webhook_id)s
returning failures, extract(epoch from clock_timestamp() - failing_since)::double precision as failing_s;

-- name: end_notification
-- It was taken, or is given up; no row where somebody ended it before.
update webhook_notifications
set state = %(state)s, finished_at = clock_timestamp(), http_status = %(http_status)s, error = %(error)s::text
where id = %(id)s and state = 'pending'
returning id;

-- name: note_failed_try
-- It wasn't taken, and is tried again.
update webhook_notifications
set http_status = %(http_status)s, error = %(error)s::text
where id = %(id)s and state = 'pending';

-- name: call_next
-- The one that comes next of an order.
update webhook_notifications
set state = 'pending'
where id = (
    select min(id) from webhook_notifications
    where webhook_id = %(webhook_id)s and order_id = %(order_id)s and state in ('pending', 'behind')
) and state = 'behind';

-- name: list_notifications
-- Newest first; a filter that is null holds always.
select
    notifications.id, tokens.name as token, notifications.order_id, events.to_state::text as order_state, notifications.state,
    notifications.attempts, notifications.created_at, notifications.attempted_at, notifications.finished_at, notifications.http_status,
    notifications.error
from webhook_notifications as notifications
join webhooks on webhooks.id = notifications.webhook_id
join tokens on tokens.id = webhooks.token_id
join order_events as events on events.id = notifications.event_id
where (%(order_id)s::bigint is null or notifications.order_id = %(order_id)s::bigint)
  and (%(token)s::text is null or tokens.name = %(token)s::text)
  and (%(states)s::text[] is null or notifications.state = any(%(states)s::text[]))
  and (%(before_id)s::bigint is null or notifications.id < %(before_id)s::bigint)
order by notifications.id desc
limit %(limit)s;

-- name: send_again
-- Have these sent again that are over, where their webhook is on; with one row in the audit where no call has one. Answers how many.
with again as (
    update webhook_notifications as notifications
    set state = 'pending', relayed_at = null, attempts = 0, tried_from = clock_timestamp(), finished_at = null
    from webhooks, tokens
    where webhooks.id = notifications.webhook_id and tokens.id = webhooks.token_id
      and webhooks.off_at is null and tokens.revoked_at is null and coalesce(tokens.ends_at > clock_timestamp(), true)
      and notifications.state in ('delivered', 'given_up')
      and (%(ids)s::bigint[] is null or notifications.id = any(%(ids)s::bigint[]))
      and (%(order_id)s::bigint is null or notifications.order_id = %(order_id)s::bigint)
      and (%(token)s::text is null or tokens.name = %(token)s::text)
      and (%(states)s::text[] is null or notifications.state = any(%(states)s::text[]))
      and (%(since)s::timestamptz is null or notifications.created_at >= %(since)s::timestamptz)
    returning notifications.order_id
),
noted as (
    insert into audit (call_id, step, actor, origin, action, order_ids, request, outcome)
    select gen_random_uuid(), 'done', %(by)s::text, %(origin)s::text, 'webhooks resend',
           coalesce((array_agg(distinct order_id))[1:100], '{}'), %(request)s::jsonb || jsonb_build_object('count', count(*)), 'OK'
    from again
    having %(origin)s::text is not null
)
select count(*) as count from again;
