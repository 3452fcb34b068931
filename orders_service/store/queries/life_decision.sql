-- What a person is shown before deciding about an order, and what he decided.

-- name: find_decision
-- What was decided about this case.
select send_id, kind, number, application_ids, actor, decided_at
from decisions
where order_id = %(order_id)s and case_no = %(case_no)s;

-- name: add_decision
-- A person decided about a case.
insert into decisions (order_id, case_no, send_id, kind, number, application_ids, actor, reason)
values (%(order_id)s, %(case_no)s, %(send_id)s::uuid, %(kind)s, %(number)s, %(application_ids)s::bigint[], %(actor)s, %(reason)s);

-- name: list_ids_named
-- Rows of which persons said that they aren't the order's.
select distinct named.id
from decisions d, unnest(d.application_ids) as named (id)
where d.order_id = %(order_id)s;

-- name: list_known_rows
-- Rows that the order's accounts knew before each sent it, or that persons ruled out since.
select distinct known.id
from submissions m, unnest(m.known_application_ids) as known (id)
where m.order_id = %(order_id)s;

-- name: list_shown
-- Readings and answers of the portal about the order, weighed or not, as they came.
select id, kind, version, recorded_at, content, weighed_at is not null as is_weighed
from facts
where order_id = %(order_id)s
order by id;

-- name: note_decided
-- Readings of this send count anew from here, and its balance is expected to be the one that the person saw.
update sends
set decided_at = clock_timestamp(),
    balance = coalesce(%(balance)s::integer, balance),
    balance_at = coalesce(%(balance_at)s::timestamptz, balance_at)
where send_id = %(send_id)s;

-- name: hand_back
-- A person decided: the order goes on at once, and the relay puts it back on the queue.
update orders
set hold_reason = null, hold_at = null, next_at = null, relayed_at = null, row_missing_since = null,
    case_no = case_no + 1, updated_at = clock_timestamp()
where id = %(order_id)s and state in ('queued', 'processing', 'unconfirmed', 'registered');

-- name: register_by_person
-- unconfirmed | processing -> registered under a person's number, with the account whose send it was.
update orders
set state = 'registered', rosreestr_order_num = %(number)s, rosreestr_application_id = %(application_id)s::bigint,
    rosreestr_user_id = %(account_id)s, bound_at = coalesce(bound_at, clock_timestamp()), person_oid = %(person_oid)s, open_send_id = null,
    registered_at = clock_timestamp(), next_at = null,
    look_at = first_look_at(id, 'registered'),
    updated_at = clock_timestamp()
where id = %(order_id)s and state = %(state)s and state in ('unconfirmed', 'processing');

-- name: correct
-- registered: another number than the stored one, while no paper completed the order.
-- Who has it in hand may be bringing the paper of
-- the wrong number: his delivery counts no more.
update orders
set fence_token = case when fence > 0 then 'corrected' end, seen_at = null, rosreestr_order_num = %(number)s, rosreestr_application_id = %(application_id)s::bigint, portal_status = null,
    updated_at = clock_timestamp()
where id = %(order_id)s and state = 'registered' and extract_id is null;

-- name: cancel
-- queued | processing -> cancelled, where nothing may have left. The relay has nothing to do with it any more.
update orders
set state = 'cancelled', bound_at = null, person_oid = null, hold_reason = null, hold_at = null, seen_at = null, next_at = null,
    relayed_at = coalesce(relayed_at, clock_timestamp()), case_no = case_no + 1, finished_at = clock_timestamp(), updated_at = clock_timestamp()
where id = %(order_id)s and state = %(state)s and state in ('queued', 'processing')
  and not exists (select 1 from sends where order_id = %(order_id)s and outcome is distinct from 'not_sent');

-- name: find_end_elsewhere
-- Whether the order was over already when it was taken over from the system before.
select id
from order_events
where order_id = %(order_id)s and actor = 'old-system' and to_state in ('completed', 'failed', 'cancelled')
limit 1;

-- name: retry
-- failed | cancelled -> where its journal stands: registered, unconfirmed, processing or queued. The relay puts it on the queue.
update orders
set state = %(to_state)s::order_state, error = null, finished_at = null, hold_reason = null, hold_at = null, seen_at = null, next_at = null,
    relayed_at = null, not_found_at = null, row_missing_since = null, look_tries = 0, case_no = case_no + 1,
    rosreestr_user_id = case when %(to_state)s <> 'queued' then rosreestr_user_id end,
    bound_at = case when %(to_state)s <> 'queued' then bound_at end,
    person_oid = case when %(to_state)s <> 'queued' then person_oid end,
    open_send_id = case when %(to_state)s = 'unconfirmed'
        then (select send_id from sends s where s.order_id = orders.id and s.outcome is null) end,
    look_at = case when %(to_state)s = 'registered' then first_look_at(id, 'registered') end,
    updated_at = clock_timestamp()
where id = %(order_id)s and state = %(state)s and state in ('failed', 'cancelled');

-- name: give_up
-- An open order -> failed: a person gives it up.
update orders
set state = 'failed', error = %(error)s, open_send_id = null,
    look_at = first_look_at(id, 'failed'),
    hold_reason = null, hold_at = null, seen_at = null, next_at = null,
    case_no = case_no + 1, finished_at = clock_timestamp(), updated_at = clock_timestamp()
where id = %(order_id)s and state = %(state)s and state in ('queued', 'processing', 'unconfirmed', 'registered');
