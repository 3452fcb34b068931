-- The journal of a submission: intent, upload, sends, facts and readings.

-- name: find_known_rows
-- Which rows were known when a send was made.
select m.known_application_ids
from submissions m
where m.id = %(submission_id)s;

-- name: find_submission
-- The submission of an order by this account.
select id, rosreestr_user_id, super_package_guid, statement_guid, package_guid, draft_guid, person_oid, access_key, balance, portal_cad_num,
       known_application_ids, uploaded_at
from submissions
where order_id = %(order_id)s and rosreestr_user_id = %(account_id)s;

-- name: list_earlier_senders
-- Sends of the order that may have left, and that this person's list would show, but for those of this account as this very person: with which
-- account, and which rows were known then.
select s.send_id, s.person_oid, m.rosreestr_user_id as account_id, u.username, m.known_application_ids
from sends s
join submissions m on m.id = s.submission_id
join rosreestr_users u on u.id = m.rosreestr_user_id
where s.order_id = %(order_id)s and s.outcome is distinct from 'not_sent'
  and %(person_oid)s = any(persons_of_list(s.person_oid, m.rosreestr_user_id))
  and not (m.rosreestr_user_id = %(account_id)s and s.person_oid = %(person_oid)s)
order by s.gate_at, s.send_id;

-- name: know_applications
-- A person said that none of these is the order's: whichever of its accounts reads them.
update submissions
set known_application_ids = (
    select coalesce(array_agg(distinct known.id order by known.id), '{}')
    from unnest(known_application_ids || %(application_ids)s::bigint[]) as known (id))
where order_id = %(order_id)s;

-- name: look_before_gate
-- Whether the send's id was used before, and another order of the object that is between gate and number in the same list.
select exists (select 1 from sends where send_id = %(send_id)s)
       or exists (select 1 from unsent_sends where send_id = %(send_id)s) as is_used,
       (select id from orders
        where person_oid = any(persons_of_list(%(person_oid)s::text, %(account_id)s::integer)) and cad_key = %(cad_key)s
          and state = 'unconfirmed' and id <> %(order_id)s
        limit 1) as busy_id;

-- name: record_answer
-- What finish answered, kept on its send and told in the history; the first answer stays.
with kept as (
    update sends
    set answer_status = %(status)s, answer_text = %(text)s, answered_at = clock_timestamp(), expected_number = nullif(%(expected_number)s, '')
    where send_id = %(send_id)s and answered_at is null
    returning send_id
), told as (
    insert into order_events (order_id, actor, kind, reason)
    values (%(order_id)s, %(actor)s, 'finish_answer', %(reason)s)
)
select exists (select 1 from kept) as is_first;

-- name: settle_send
-- Close a send.
update sends
set outcome = %(outcome)s::send_outcome, settled_at = clock_timestamp(), settled_by = %(settled_by)s
where send_id = %(send_id)s and outcome is not distinct from %(expected)s::send_outcome;

-- name: keep_fact
-- Keep what the portal showed, unless this is the repeat of the very same; a sign of life, where its teller has the order in hand.
with seen as (
    update orders
    set seen_at = clock_timestamp()
    where id = %(order_id)s and %(is_holder)s and fence = %(fence)s and fence_token = %(fence_token)s and hold_reason is null
      and state in ('processing', 'unconfirmed', 'registered')
), same as (
    select id, recorded_at, weighed_at is not null as is_weighed
    from facts
    where order_id = %(order_id)s and send_id is not distinct from %(send_id)s::uuid and kind = %(kind)s and username = %(username)s
      and fence = %(fence)s and fence_token = %(fence_token)s and content = %(content)s
    limit 1
), added as (
    insert into facts (order_id, send_id, kind, version, username, fence, fence_token, content, weighed_at)
    select %(order_id)s, %(send_id)s::uuid, %(kind)s, %(version)s, %(username)s, %(fence)s, %(fence_token)s, %(content)s,
           case when %(is_weighed)s then clock_timestamp() end
    where not exists (select 1 from same)
    returning id, recorded_at
)
select id, recorded_at, is_weighed, false as is_new from same
union all
select id, recorded_at, %(is_weighed)s, true from added;

-- name: list_pending_facts
-- Facts that nobody weighed yet, as they came.
select id, send_id, kind, version, recorded_at, username, fence, fence_token, content
from facts
where order_id = %(order_id)s and weighed_at is null
order by id;

-- name: note_failed_weighing
-- Nobody here can weigh this fact; counted once a minute at most, and up to what makes it a person's.
update facts
set failed_weighings = least(failed_weighings + 1, %(most)s), failed_at = clock_timestamp()
where id = %(fact_id)s and (failed_at is null or failed_at < clock_timestamp() - interval '1 minute')
returning failed_weighings;

-- name: bury_send
-- This send can't pass the gate any more, if it hasn't yet.
insert into unsent_sends (send_id, order_id, username)
select %(send_id)s, %(order_id)s, %(username)s
where not exists (select 1 from sends where send_id = %(send_id)s)
on conflict (send_id) do nothing;

-- name: find_weighing
-- Whether the fact was weighed.
select weighed_at is not null as is_weighed
from facts
where id = %(fact_id)s;

-- name: mark_weighed
-- This fact was turned into what follows from it.
update facts
set weighed_at = clock_timestamp()
where id = %(fact_id)s;

-- name: add_reading
-- A reading that was weighed, and why it proves nothing, if it doesn't.
insert into readings (send_id, fact_id, read_at, void_reason)
values (%(send_id)s, %(fact_id)s, %(read_at)s, %(void_reason)s);

-- name: list_void_readings
-- The weighed readings of a send that prove nothing.
select read_at, void_reason
from readings
where send_id = %(send_id)s and void_reason is not null
order by read_at;
