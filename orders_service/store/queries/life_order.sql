-- An order's way. Each transition is one conditional update: it happens from the expected state, and a decision only by
-- the delivery (fence and token) and under the account's epoch that it was made with. The history is written beside it.

-- name: lock_order
-- The order, locked: all that is decided about it is decided one after the other.
select id, cad_num, cad_key, is_urgent, state, rosreestr_user_id,
       (select username from rosreestr_users where id = orders.rosreestr_user_id) as username,
       fence, fence_token,
       coalesce(seen_at > clock_timestamp() - make_interval(secs => %(lease_s)s::double precision), false) as is_in_hand,
       next_at, hold_reason, not_found_at, rosreestr_order_num as number, rosreestr_application_id as application_id,
       portal_status, extract_id, case_no, look_at
from orders
where id = %(order_id)s
for update;

-- name: lock_order_if_free
-- The same, or nothing where somebody decides about it at this moment.
select id, cad_num, cad_key, is_urgent, state, rosreestr_user_id,
       (select username from rosreestr_users where id = orders.rosreestr_user_id) as username,
       fence, fence_token,
       coalesce(seen_at > clock_timestamp() - make_interval(secs => %(lease_s)s::double precision), false) as is_in_hand,
       next_at, hold_reason, not_found_at, rosreestr_order_num as number, rosreestr_application_id as application_id,
       portal_status, extract_id, case_no, look_at
from orders
where id = %(order_id)s
for update skip locked;

-- name: add_event
-- One line of the order's history.
insert into order_events (order_id, actor, kind, from_state, to_state, reason)
values (%(order_id)s, %(actor)s, %(kind)s, %(from_state)s::order_state, %(to_state)s::order_state, %(reason)s);

-- name: find_last_event
-- The latest line of the order's history.
select kind, actor, reason
from order_events
where order_id = %(order_id)s
order by id desc
limit 1;

-- name: find_told
-- Whether a person was told this very reason before.
select id
from order_events
where order_id = %(order_id)s and kind in ('alarm', 'hold') and reason = %(reason)s
limit 1;

-- name: read_clock
-- The database's clock, now.
select clock_timestamp() as now;

-- name: touch
-- A sign of life of the delivery in hand.
update orders
set seen_at = clock_timestamp()
where id = %(order_id)s and fence = %(fence)s and fence_token = %(token)s and hold_reason is null
  and state in ('processing', 'unconfirmed', 'registered');

-- name: claim_queued
-- queued -> processing: an account takes the order in hand.
update orders
set state = 'processing', rosreestr_user_id = %(account_id)s, fence = %(fence)s, fence_token = %(token)s,
    seen_at = clock_timestamp(), next_at = null, updated_at = clock_timestamp()
where id = %(order_id)s and state = 'queued' and fence < %(fence)s and hold_reason is null
  and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s);

-- name: claim_again
-- Another delivery takes the order in hand where it stands; an order that isn't bound may change its account by it.
update orders
set rosreestr_user_id = %(account_id)s, fence = %(fence)s, fence_token = %(token)s, seen_at = clock_timestamp(),
    updated_at = case when rosreestr_user_id = %(account_id)s then updated_at else clock_timestamp() end
where id = %(order_id)s and state = %(state)s and fence < %(fence)s and hold_reason is null
  and (rosreestr_user_id = %(account_id)s
       or state = 'processing' and not exists (
           select 1 from submissions s
           where s.order_id = orders.id and s.rosreestr_user_id = orders.rosreestr_user_id and s.intent_at is not null))
  and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s);

-- name: pass_gate
-- processing -> unconfirmed, with its send, in one statement: neither is ever there without the other.
with gate as (
    update orders o
    set state = 'unconfirmed', seen_at = clock_timestamp(), next_at = null, updated_at = clock_timestamp()
    from submissions s
    where o.id = %(order_id)s and o.state = 'processing' and o.rosreestr_user_id = %(account_id)s
      and o.fence = %(fence)s and o.fence_token = %(token)s and o.hold_reason is null
      and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s)
      and s.order_id = o.id and s.rosreestr_user_id = o.rosreestr_user_id
      and s.intent_at is not null and s.uploaded_at is not null
    returning o.id as order_id, s.id as submission_id, s.balance
)
insert into sends (send_id, order_id, submission_id, fence, fence_token, epoch, absent_after_s, balance)
select %(send_id)s, order_id, submission_id, %(fence)s, %(token)s, %(epoch)s, %(absent_after_s)s, balance
from gate;

-- name: unbind
-- processing -> queued: nobody has it, any account may take it.
update orders
set state = 'queued', rosreestr_user_id = null, seen_at = null, updated_at = clock_timestamp(),
    next_at = clock_timestamp() + make_interval(secs => %(delay_s)s::double precision),
    not_found_at = case when %(is_not_found)s then coalesce(not_found_at, clock_timestamp()) else not_found_at end
where id = %(order_id)s and state = 'processing' and rosreestr_user_id = %(account_id)s
  and fence = %(fence)s and fence_token = %(token)s and hold_reason is null
  and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s)
  and not exists (select 1 from sends where order_id = %(order_id)s);

-- name: put_down
-- The order stays where it is; nobody has it in hand until next_at.
update orders
set seen_at = null, updated_at = clock_timestamp(),
    next_at = clock_timestamp() + make_interval(secs => %(delay_s)s::double precision),
    not_found_at = case when %(is_not_found)s then coalesce(not_found_at, clock_timestamp()) else not_found_at end
where id = %(order_id)s and state = %(state)s and rosreestr_user_id = %(account_id)s
  and fence = %(fence)s and fence_token = %(token)s
  and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s);

-- name: unconfirm
-- unconfirmed -> processing: the send was settled as absent or not sent; the order stays bound.
update orders
set state = 'processing', next_at = null, updated_at = clock_timestamp()
where id = %(order_id)s and state = 'unconfirmed'
  and not exists (select 1 from sends where order_id = %(order_id)s and outcome is null);

-- name: register
-- unconfirmed | processing -> registered: the portal's number is known.
update orders
set state = 'registered', rosreestr_order_num = %(number)s, rosreestr_application_id = %(application_id)s::bigint,
    portal_status = coalesce(%(portal_status)s::text, portal_status), registered_at = clock_timestamp(),
    look_at = case when exists (select 1 from sends s where s.order_id = orders.id and s.outcome = 'absent') then clock_timestamp() end,
    next_at = null, updated_at = clock_timestamp()
where id = %(order_id)s and state = %(state)s and state in ('unconfirmed', 'processing');

-- name: note_check
-- What the list said of a registered order, and when to look again.
update orders
set portal_status = coalesce(%(portal_status)s::text, portal_status),
    rosreestr_application_id = coalesce(%(application_id)s::bigint, rosreestr_application_id),
    next_at = clock_timestamp() + make_interval(secs => %(next_check_s)s::double precision),
    row_missing_since = case when %(is_seen)s then null else coalesce(row_missing_since, clock_timestamp()) end,
    seen_at = clock_timestamp(), updated_at = clock_timestamp()
where id = %(order_id)s and state = 'registered' and rosreestr_user_id = %(account_id)s
  and fence = %(fence)s and fence_token = %(token)s and hold_reason is null
  and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s);

-- name: read_missing
-- For how many seconds the list hasn't shown the order's row.
select coalesce(extract(epoch from clock_timestamp() - row_missing_since), 0)::double precision as missing_s
from orders
where id = %(order_id)s;

-- name: note_look
-- The order was looked for: a day after its number it is once more.
update orders
set look_at = case when %(begun_at)s < registered_at + interval '1 day' then registered_at + interval '1 day' end
where id = %(order_id)s and look_at <= %(begun_at)s;

-- name: note_ready
-- What the list said of a registered order when its paper was there.
update orders
set portal_status = %(portal_status)s
where id = %(order_id)s and state = 'registered' and rosreestr_user_id = %(account_id)s
  and fence = %(fence)s and fence_token = %(token)s and hold_reason is null
  and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s);

-- name: complete
-- registered -> completed: the checked extract is stored.
update orders
set state = 'completed', extract_id = %(extract_id)s, seen_at = null, next_at = null,
    finished_at = clock_timestamp(), updated_at = clock_timestamp()
where id = %(order_id)s and state = 'registered' and rosreestr_user_id = %(account_id)s
  and fence = %(fence)s and fence_token = %(token)s and hold_reason is null
  and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s);

-- name: fail
-- processing | registered -> failed, by the delivery in hand.
update orders
set state = 'failed', error = %(error)s, seen_at = null, next_at = null,
    finished_at = clock_timestamp(), updated_at = clock_timestamp()
where id = %(order_id)s and state = %(state)s and state in ('processing', 'registered') and rosreestr_user_id = %(account_id)s
  and fence = %(fence)s and fence_token = %(token)s and hold_reason is null
  and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s)
  and not exists (select 1 from sends where order_id = %(order_id)s and outcome is null);

-- name: fail_by_queue
-- queued | processing -> failed, where its job failed and nobody has taken it in hand since.
update orders
set state = 'failed', error = %(error)s, seen_at = null, next_at = null,
    finished_at = clock_timestamp(), updated_at = clock_timestamp()
where id = %(order_id)s and state = %(state)s and state in ('queued', 'processing') and fence = %(fence)s and hold_reason is null
  and not exists (select 1 from sends where order_id = %(order_id)s and (outcome is null or outcome = 'number'));

-- name: find_state
-- Where the order stands, and whether a send of it may have left.
select state::text, exists (select 1 from sends where order_id = orders.id and outcome is distinct from 'not_sent') as was_sent
from orders
where id = %(order_id)s;

-- name: hold
-- A person must decide; until then nobody works on the order.
update orders
set hold_reason = %(reason)s, hold_at = clock_timestamp(), case_no = case_no + 1, seen_at = null, updated_at = clock_timestamp()
where id = %(order_id)s and hold_reason is null and state in ('queued', 'processing', 'unconfirmed', 'registered');

-- name: find_busy_object
-- Another order of the same object that is between gate and number with this account.
select id
from orders
where rosreestr_user_id = %(account_id)s and cad_key = %(cad_key)s and state = 'unconfirmed' and id <> %(order_id)s
limit 1;

-- name: list_taken
-- Which of these numbers and applications other orders of the account have.
select id as order_id, rosreestr_order_num as number, rosreestr_application_id as application_id, cad_key
from orders
where rosreestr_user_id = %(account_id)s and id <> %(order_id)s
  and (rosreestr_order_num = any(%(numbers)s::text[]) or rosreestr_application_id = any(%(application_ids)s::bigint[]));

-- name: list_expected_elsewhere
-- Which of these numbers the portal's finish named to another order of the account for the same object.
select o.id as order_id, s.expected_number as number
from sends s
join submissions m on m.id = s.submission_id
join orders o on o.id = s.order_id
where m.rosreestr_user_id = %(account_id)s and o.id <> %(order_id)s and o.cad_key = %(cad_key)s
  and s.expected_number = any(%(numbers)s::text[]);

-- name: list_orders_with_pending_facts
-- Open orders with facts that nobody weighed and that nobody has in hand; a person's are left alone. Final ones, too: an alarm may be in them.
select o.id
from orders o
where o.id > %(after_id)s and o.hold_reason is null
  and (o.seen_at is null or o.seen_at <= clock_timestamp() - make_interval(secs => %(lease_s)s::double precision))
  and exists (select 1 from facts f where f.order_id = o.id and f.weighed_at is null)
order by o.id
limit %(limit)s;
