-- The journal of a submission: intent, upload, sends, facts and readings.

-- name: find_submission
-- The submission of this order by this account.
select id, rosreestr_user_id, super_package_guid, statement_guid, package_guid, draft_guid, intent_at, person_oid, access_key,
       balance, portal_cad_num, known_application_ids, uploaded_at
from submissions
where order_id = %(order_id)s and rosreestr_user_id = %(account_id)s;

-- name: find_sender
-- As whom a send was made.
select m.id as submission_id, m.rosreestr_user_id as account_id, u.username, m.person_oid, m.known_application_ids
from submissions m
join rosreestr_users u on u.id = m.rosreestr_user_id
where m.id = %(submission_id)s;

-- name: list_sends
-- Every send of the order, oldest first.
select send_id, submission_id, fence, fence_token, gate_at, absent_after_s, balance, answered_at, expected_number, outcome,
       settled_at, settled_by, decided_at, balance_at,
       exists (select 1 from decisions d where d.send_id = sends.send_id and d.kind = 'absent') as is_denied
from sends
where order_id = %(order_id)s
order by gate_at, send_id;

-- name: record_intent
-- Write the intent. The GUIDs of the first time are kept for ever; the known rows from the first send that may have left.
-- An upload stands as long as it says the same: with another person, key or spelling it is to be made again, also by the next delivery.
insert into submissions (order_id, rosreestr_user_id, super_package_guid, statement_guid, package_guid, draft_guid, intent_at,
                         person_oid, access_key, balance, portal_cad_num, known_application_ids)
values (%(order_id)s, %(account_id)s, %(super_package_guid)s, %(statement_guid)s, %(package_guid)s, %(draft_guid)s, clock_timestamp(),
        %(person_oid)s, %(access_key)s, %(balance)s, %(portal_cad_num)s, %(known_application_ids)s::bigint[])
on conflict (order_id, rosreestr_user_id) do update
set intent_at = coalesce(submissions.intent_at, clock_timestamp()),
    person_oid = excluded.person_oid,
    access_key = excluded.access_key,
    balance = excluded.balance,
    portal_cad_num = excluded.portal_cad_num,
    known_application_ids = case
        when exists (select 1 from sends where submission_id = submissions.id and outcome is distinct from 'not_sent') then submissions.known_application_ids
        else excluded.known_application_ids end,
    uploaded_at = case
        when (submissions.person_oid, submissions.access_key, submissions.portal_cad_num)
             = (excluded.person_oid, excluded.access_key, excluded.portal_cad_num)
        then submissions.uploaded_at end;

-- name: forget_intent
-- The order goes back to the queue: the next account makes an intent of its own. GUIDs and upload are kept.
update submissions
set intent_at = null
where order_id = %(order_id)s and intent_at is not null;

-- name: record_upload
-- The portal accepted the upload.
update submissions
set uploaded_at = clock_timestamp()
where id = %(submission_id)s and uploaded_at is null;

-- name: know_applications
-- A person said that none of these is the order's.
update submissions
set known_application_ids = (
    select coalesce(array_agg(distinct known.id order by known.id), '{}')
    from unnest(known_application_ids || %(application_ids)s::bigint[]) as known (id))
where id = %(submission_id)s;

-- name: find_send_of_any_order
-- Whose this send is.
select order_id
from sends
where send_id = %(send_id)s;

-- name: record_answer
-- What finish answered, kept on its send; the first answer stays.
update sends
set answer_status = %(status)s, answer_text = %(text)s, answered_at = clock_timestamp(), expected_number = nullif(%(expected_number)s, '')
where send_id = %(send_id)s and answered_at is null;

-- name: settle_send
-- Close a send.
update sends
set outcome = %(outcome)s::send_outcome, settled_at = clock_timestamp(), settled_by = %(settled_by)s
where send_id = %(send_id)s and outcome is not distinct from %(expected)s::send_outcome;

-- name: count_later_numbers
-- How many sends of the account in this time, of other orders, ended in a number: so much less is on the balance by our own doing.
select count(*) as spent
from sends s
join submissions m on m.id = s.submission_id
where m.rosreestr_user_id = %(account_id)s and s.order_id <> %(order_id)s and s.outcome = 'number'
  and s.gate_at > %(since)s and s.gate_at < %(until)s;

-- name: find_same_fact
-- The fact that this one repeats.
select id
from facts
where order_id = %(order_id)s and send_id is not distinct from %(send_id)s::uuid and kind = %(kind)s and username = %(username)s
  and fence = %(fence)s and fence_token = %(token)s and content = %(content)s
limit 1;

-- name: add_fact
-- Keep what the portal showed.
insert into facts (order_id, send_id, kind, username, fence, fence_token, content)
values (%(order_id)s, %(send_id)s::uuid, %(kind)s, %(username)s, %(fence)s, %(token)s, %(content)s)
returning id;

-- name: list_pending_facts
-- Facts that nobody weighed yet, as they came.
select id, send_id, kind, recorded_at, username, fence, fence_token, content
from facts
where order_id = %(order_id)s and weighed_at is null
order by id;

-- name: mark_weighed
-- This fact was turned into what follows from it.
update facts
set weighed_at = clock_timestamp()
where id = %(fact_id)s;

-- name: find_weighing
-- Whether the fact was weighed.
select weighed_at is not null as is_weighed
from facts
where id = %(fact_id)s;

-- name: add_reading
-- A reading that was weighed, and why it proves nothing, if it doesn't.
insert into readings (send_id, fact_id, read_at, void_reason)
values (%(send_id)s, %(fact_id)s, %(read_at)s, %(void_reason)s);

-- name: list_readings
-- The weighed readings of a send.
select read_at, void_reason
from readings
where send_id = %(send_id)s
order by read_at;

-- name: has_clear_reading
-- Whether a reading that was begun after this moment proves that nothing of the order's stood in the list.
select exists (
    select 1
    from readings r
    join sends s on s.send_id = r.send_id
    where s.order_id = %(order_id)s and r.void_reason is null and r.read_at >= %(since)s
) as is_clear;

-- name: list_rows_read
-- Every row that readings of this order showed.
select distinct (row->>'application_id')::bigint as application_id, row->>'order_number' as order_number, row->>'cad_num' as cad_num
from facts f, jsonb_array_elements(f.content->'rows') as row
where f.order_id = %(order_id)s and f.kind = 'reading' and f.username = %(username)s;
