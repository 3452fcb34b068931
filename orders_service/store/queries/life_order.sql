-- An order's way. Each transition is one conditional update: it happens from the expected state, and a decision only by
-- the delivery (fence and token) and under the account's epoch that it was made with. The history is written beside it.

-- name: lock_order
-- The order, locked: all that is decided about it is decided one after the other. It is read afterwards, as it is by then.
select id
from orders
where id = %(order_id)s
for update;

-- name: lock_order_if_free
-- The same, or nothing where somebody decides about it at this moment.
select id
from orders
where id = %(order_id)s
for update skip locked;

-- name: read_order
-- A locked order with the submission of the account that has it, and its sends, oldest first: a row for each, or one without.
select o.id, o.cad_num, o.cad_key, o.is_urgent, o.state, o.rosreestr_user_id, u.username, u.person_oid as account_person_oid, o.bound_at, o.person_oid, o.fence, o.fence_token,
       coalesce(o.seen_at > clock_timestamp() - make_interval(secs => %(lease_s)s::double precision), false) as is_in_hand,
       o.next_at, o.hold_reason, o.not_found_at, o.rosreestr_order_num as number, o.rosreestr_application_id as application_id,
       o.portal_status, o.extract_id, o.case_no, o.look_at,
       exists (select 1 from facts f where f.order_id = o.id and f.weighed_at is null) as has_unweighed_facts,
       clock_timestamp() as as_of,
       m.id as "submission.id", m.rosreestr_user_id as "submission.rosreestr_user_id",
       m.super_package_guid as "submission.super_package_guid", m.statement_guid as "submission.statement_guid",
       m.package_guid as "submission.package_guid", m.draft_guid as "submission.draft_guid", m.person_oid as "submission.person_oid",
       m.access_key as "submission.access_key", m.balance as "submission.balance", m.portal_cad_num as "submission.portal_cad_num",
       m.known_application_ids as "submission.known_application_ids", m.uploaded_at as "submission.uploaded_at",
       s.send_id as "send.send_id", s.submission_id as "send.submission_id", sm.rosreestr_user_id as "send.account_id", su.username as "send.username",
       s.person_oid as "send.person_oid", s.fence as "send.fence",
       s.fence_token as "send.fence_token", s.gate_at as "send.gate_at", s.absent_after_s as "send.absent_after_s",
       s.balance as "send.balance", s.balance_at as "send.balance_at", s.answered_at as "send.answered_at",
       s.expected_number as "send.expected_number", s.outcome as "send.outcome", s.settled_at as "send.settled_at",
       s.settled_by as "send.settled_by", s.decided_at as "send.decided_at", s.looked_at as "send.looked_at",
       exists (select 1 from decisions d where d.send_id = s.send_id and d.kind = 'absent') as "send.is_denied",
       array(select r.read_at from readings r where r.send_id = s.send_id and r.void_reason is null order by r.read_at) as "send.clear_readings"
from orders o
left join rosreestr_users u on u.id = o.rosreestr_user_id
left join submissions m on m.order_id = o.id and m.rosreestr_user_id = o.rosreestr_user_id
left join sends s on s.order_id = o.id
left join submissions sm on sm.id = s.submission_id
left join rosreestr_users su on su.id = sm.rosreestr_user_id
where o.id = %(order_id)s
order by s.gate_at, s.send_id;

-- name: add_event
-- One line of the order's history that isn't a transition.
insert into order_events (order_id, actor, kind, reason)
values (%(order_id)s, %(actor)s, %(kind)s, %(reason)s);

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

-- name: find_told_unread
-- Whether a person was told this very reason last of all, or at any time where the order is over.
select e.id
from order_events e
join orders o on o.id = e.order_id
where e.order_id = %(order_id)s and e.kind in ('alarm', 'hold') and e.reason = %(reason)s
  and (o.state in ('completed', 'failed', 'cancelled') or e.id = (select max(id) from order_events where order_id = %(order_id)s))
limit 1;

-- name: touch
-- A sign of life of the delivery in hand, where nothing else is written.
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
  and (rosreestr_user_id = %(account_id)s or state = 'processing' and bound_at is null)
  and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s);

-- name: bind
-- Write the intent, and bind the order to the account by it. The GUIDs of the first time are kept for ever; the known rows from the first send
-- that may have left as this person, beside those of another one whose list this account read before. An upload stands as long as it says the same: with another person, key or spelling it is to be made again, also by the next
-- delivery. That the portal didn't know the object once is over: it was found.
with bound as (
    update orders
    set bound_at = coalesce(bound_at, clock_timestamp()), person_oid = %(person_oid)s, not_found_at = null, seen_at = clock_timestamp(),
        updated_at = case when bound_at is null then clock_timestamp() else updated_at end
    where id = %(order_id)s and state = 'processing' and rosreestr_user_id = %(account_id)s
      and fence = %(fence)s and fence_token = %(token)s and hold_reason is null
      and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s and person_oid = %(person_oid)s)
    returning id
), kept as (
    insert into submissions (order_id, rosreestr_user_id, super_package_guid, statement_guid, package_guid, draft_guid,
                             person_oid, access_key, balance, portal_cad_num, known_application_ids)
    select id, %(account_id)s, %(super_package_guid)s, %(statement_guid)s, %(package_guid)s, %(draft_guid)s,
           %(person_oid)s, %(access_key)s, %(balance)s, %(portal_cad_num)s, %(known_application_ids)s::bigint[]
    from bound
    on conflict (order_id, rosreestr_user_id) do update
    set person_oid = excluded.person_oid,
        access_key = excluded.access_key,
        balance = excluded.balance,
        portal_cad_num = excluded.portal_cad_num,
        known_application_ids = case
            when exists (select 1 from sends s
                         where s.order_id = submissions.order_id and s.submission_id = submissions.id and s.outcome is distinct from 'not_sent'
                           and s.person_oid = excluded.person_oid)
            then submissions.known_application_ids
            when exists (select 1 from sends s
                         where s.order_id = submissions.order_id and s.submission_id = submissions.id and s.outcome is distinct from 'not_sent')
            then array(select distinct known.id
                       from unnest(submissions.known_application_ids || excluded.known_application_ids) as known (id) order by known.id)
            else excluded.known_application_ids end,
        uploaded_at = case
            when (submissions.person_oid, submissions.access_key, submissions.portal_cad_num)
                 = (excluded.person_oid, excluded.access_key, excluded.portal_cad_num)
            then submissions.uploaded_at end
    returning order_id
), told as (
    insert into order_events (order_id, actor, kind, reason)
    select order_id, %(actor)s, 'intent', %(reason)s from kept where %(is_news)s
)
select order_id from kept;

-- name: note_upload
-- The portal accepted the upload; a sign of life of the delivery in hand.
with seen as (
    update orders
    set seen_at = clock_timestamp()
    where id = %(order_id)s and state = 'processing' and fence = %(fence)s and fence_token = %(token)s and hold_reason is null
    returning id
), uploaded as (
    update submissions m
    set uploaded_at = clock_timestamp()
    from seen
    where m.id = %(submission_id)s and m.order_id = seen.id and m.uploaded_at is null
    returning m.order_id
)
insert into order_events (order_id, actor, kind, reason)
select order_id, %(actor)s, 'uploaded', 'the portal accepted the statement' from uploaded;

-- name: pass_gate
-- processing -> unconfirmed, with its send and its line of history, in one statement: none is ever there without the others.
with gate as (
    update orders o
    set state = 'unconfirmed', open_send_id = %(send_id)s, seen_at = clock_timestamp(), next_at = null, updated_at = clock_timestamp()
    from submissions m
    where o.id = %(order_id)s and o.state = 'processing' and o.rosreestr_user_id = %(account_id)s
      and o.fence = %(fence)s and o.fence_token = %(token)s and o.hold_reason is null
      and not exists (select 1 from unsent_sends where send_id = %(send_id)s)
      and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s)
      and o.bound_at is not null and m.order_id = o.id and m.rosreestr_user_id = o.rosreestr_user_id
      and m.person_oid = o.person_oid and m.uploaded_at is not null
    returning o.id as order_id, m.id as submission_id, m.person_oid, m.balance
), sent as (
    insert into sends (send_id, order_id, submission_id, person_oid, fence, fence_token, epoch, absent_after_s, balance)
    select %(send_id)s, order_id, submission_id, person_oid, %(fence)s, %(token)s, %(epoch)s, %(absent_after_s)s, balance
    from gate
    returning order_id
)
insert into order_events (order_id, actor, kind, from_state, to_state, reason)
select order_id, %(actor)s, 'transition', 'processing', 'unconfirmed', %(reason)s
from sent;

-- name: unbind
-- processing -> queued: nobody has it, any account may take it.
update orders
set state = 'queued', rosreestr_user_id = null, bound_at = null, person_oid = null, seen_at = null, updated_at = clock_timestamp(),
    next_at = clock_timestamp() + make_interval(secs => %(delay_s)s::double precision),
    not_found_at = case when %(is_not_found)s then coalesce(not_found_at, clock_timestamp()) else not_found_at end
where id = %(order_id)s and state = 'processing' and rosreestr_user_id = %(account_id)s
  and fence = %(fence)s and fence_token = %(token)s and hold_reason is null
  and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s)
  and not exists (select 1 from sends where order_id = %(order_id)s and outcome is distinct from 'not_sent');

-- name: list_abandoned
-- Orders that an account bound to itself and never sent, as far as no person said that it isn't at the portal, and of which nobody has given a
-- sign of life for a while.
select o.id
from orders o
where o.id > %(after_id)s and o.bound_at is not null and o.state = 'processing' and o.hold_reason is null
  and coalesce(o.seen_at, o.updated_at) < clock_timestamp() - make_interval(secs => %(quiet_s)s::double precision)
  and (o.next_at is null or o.next_at < clock_timestamp() - make_interval(secs => %(quiet_s)s::double precision))
  and not exists (select 1 from sends s
                  where s.order_id = o.id and s.outcome is distinct from 'not_sent'
                    and not exists (select 1 from decisions d where d.send_id = s.send_id and d.kind = 'absent'))
order by o.id
limit %(limit)s;

-- name: unbind_abandoned
-- processing -> queued: its account is gone, and nothing was sent.
update orders
set state = 'queued', rosreestr_user_id = null, bound_at = null, person_oid = null, seen_at = null, next_at = null,
    updated_at = clock_timestamp()
where id = %(order_id)s and state = 'processing' and bound_at is not null and hold_reason is null
  and coalesce(seen_at, updated_at) < clock_timestamp() - make_interval(secs => %(quiet_s)s::double precision)
  and not exists (select 1 from sends where order_id = %(order_id)s and outcome is distinct from 'not_sent');

-- name: put_down
-- The order stays where it is; nobody has it in hand until next_at. Where nothing binds it, any account may take it.
update orders
set seen_at = null, updated_at = clock_timestamp(),
    bound_at = case when not %(is_freed)s then bound_at end, person_oid = case when not %(is_freed)s then person_oid end,
    next_at = clock_timestamp() + make_interval(secs => %(delay_s)s::double precision),
    not_found_at = case when %(is_not_found)s then coalesce(not_found_at, clock_timestamp()) else not_found_at end
where id = %(order_id)s and state = %(state)s and rosreestr_user_id = %(account_id)s
  and fence = %(fence)s and fence_token = %(token)s
  and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s);

-- name: free_abandoned
-- processing: its account is gone, and a person said that nothing of it is at the portal.
update orders
set bound_at = null, person_oid = null, seen_at = null, next_at = null, updated_at = clock_timestamp()
where id = %(order_id)s and state = %(state)s and state = 'processing' and bound_at is not null and hold_reason is null
  and coalesce(seen_at, updated_at) < clock_timestamp() - make_interval(secs => %(quiet_s)s::double precision)
  and not exists (select 1 from sends s
                  where s.order_id = orders.id and s.outcome is distinct from 'not_sent'
                    and not exists (select 1 from decisions d where d.send_id = s.send_id and d.kind = 'absent'));

-- name: unbind_by_person
-- processing: whoever comes first may go on with it.
update orders
set bound_at = null, person_oid = null
where id = %(order_id)s and state = 'processing';

-- name: unconfirm
-- unconfirmed -> processing: the send was settled as absent or not sent; the order stays bound.
update orders
set state = 'processing', open_send_id = null, next_at = null, updated_at = clock_timestamp()
where id = %(order_id)s and state = 'unconfirmed'
  and not exists (select 1 from sends where order_id = %(order_id)s and outcome is null);

-- name: register
-- unconfirmed | processing -> registered: the portal's number is known.
update orders
set state = 'registered', rosreestr_order_num = %(number)s, rosreestr_application_id = %(application_id)s::bigint,
    bound_at = coalesce(bound_at, clock_timestamp()), person_oid = %(person_oid)s, open_send_id = null,
    portal_status = coalesce(%(portal_status)s::text, portal_status), registered_at = clock_timestamp(),
    look_at = first_look_at(id, 'registered'),
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
  and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s)
returning coalesce(extract(epoch from clock_timestamp() - row_missing_since), 0)::double precision as missing_s,
    coalesce(extract(epoch from clock_timestamp() - registered_at), 0)::double precision as registered_s;

-- name: note_look
-- The order was looked for in the list of one of its senders. Once that is done for each of them: a day after its number it is once more; one
-- without a number, that is over, isn't.
with due as (
    select s.send_id, s.submission_id = %(submission_id)s and s.person_oid = %(person_oid)s as is_looked
    from orders o
    join sends s on s.order_id = o.id
    where o.id = %(order_id)s and o.look_at <= %(begun_at)s
      and (s.outcome = 'absent' or s.outcome is null and o.state = 'failed') and (s.looked_at is null or s.looked_at < o.look_at)
), looked as (
    update sends set looked_at = %(begun_at)s from due where due.is_looked and sends.send_id = due.send_id
)
update orders
set look_at = case when %(begun_at)s < registered_at + interval '1 day' then registered_at + interval '1 day' end, look_tries = 0
where id = %(order_id)s and look_at <= %(begun_at)s and not exists (select from due where not is_looked);

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
-- processing | registered -> failed, by the delivery in hand. What was sent and not found is looked for once more.
update orders
set state = 'failed', error = %(error)s, seen_at = null, next_at = null,
    look_at = first_look_at(id, 'failed'),
    finished_at = clock_timestamp(), updated_at = clock_timestamp()
where id = %(order_id)s and state = %(state)s and state in ('processing', 'registered') and rosreestr_user_id = %(account_id)s
  and fence = %(fence)s and fence_token = %(token)s and hold_reason is null
  and exists (select 1 from rosreestr_users where id = %(account_id)s and epoch = %(epoch)s)
  and not exists (select 1 from sends where order_id = %(order_id)s and outcome is null);

-- name: fail_by_queue
-- queued | processing -> failed, where its job failed and nobody has taken it in hand since.
update orders
set state = 'failed', error = %(error)s, seen_at = null, next_at = null,
    look_at = first_look_at(id, 'failed'),
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
-- Another order of the same object that is between gate and number in the same list.
select id
from orders
where person_oid = any(persons_of_list(%(person_oid)s::text, %(account_id)s::integer)) and cad_key = %(cad_key)s and state = 'unconfirmed' and id <> %(order_id)s
limit 1;

-- name: read_elsewhere
-- What other orders have to do with these numbers, applications and this object, a row each: `taken` by an order of the same list (or of the
-- account, from before the person was known); `expected` by finish of another order of the object; a `rival` of the object that may have been
-- sent, and whose row may still come; `spent`: how many sends of the person, of other orders, ended in a number in this time.
select 'taken' as what, o.id as order_id, o.rosreestr_order_num as number, o.rosreestr_application_id as application_id, o.cad_key,
       null::bigint as spent
from orders o
where o.id <> %(order_id)s
  and (o.person_oid = any(persons_of_list(%(person_oid)s::text, %(account_id)s::integer)) and o.rosreestr_order_num = any(%(numbers)s::text[])
       or o.person_oid = any(persons_of_list(%(person_oid)s::text, %(account_id)s::integer)) and o.rosreestr_application_id = any(%(application_ids)s::bigint[])
       or o.rosreestr_user_id = %(account_id)s and o.rosreestr_order_num = any(%(numbers)s::text[]))
union all
select 'expected', o.id, s.expected_number, null, o.cad_key, null
from sends s
join orders o on o.id = s.order_id
where s.person_oid = any(persons_of_list(%(person_oid)s::text, %(account_id)s::integer)) and o.id <> %(order_id)s and o.cad_key = %(cad_key)s
  and s.expected_number = any(%(numbers)s::text[])
union all
select 'rival', o.id, s.expected_number, null, o.cad_key, null
from orders o
join sends s on s.order_id = o.id
where o.cad_key = %(cad_key)s and o.id <> %(order_id)s and s.person_oid = any(persons_of_list(%(person_oid)s::text, %(account_id)s::integer))
  and (s.outcome = 'absent' or s.outcome is null and o.state = 'failed')
  and s.gate_at > clock_timestamp() - make_interval(secs => %(late_s)s::double precision)
union all
select 'spent', null, null, null, null, count(*)
from sends s
where s.person_oid = any(persons_of_list(%(person_oid)s::text, %(account_id)s::integer)) and s.order_id <> %(order_id)s and s.outcome = 'number'
  and s.gate_at > %(since)s::timestamptz and s.gate_at < %(until)s::timestamptz;

-- name: list_orders_with_pending_facts
-- Orders with facts that nobody weighed and that nobody has in hand; a person's are left alone. Final ones, too: an alarm may be in them, but for
-- facts that were told to a person as nobody's here; a service that knows their form weighs them.
select o.id
from orders o
where o.id > %(after_id)s and o.hold_reason is null
  and (o.seen_at is null or o.seen_at <= clock_timestamp() - make_interval(secs => %(lease_s)s::double precision))
  and exists (select 1 from facts f
              where f.order_id = o.id and f.weighed_at is null
                and (o.state not in ('completed', 'failed', 'cancelled') or f.failed_weighings < %(most)s
                     or f.version <= %(version)s and f.kind = any(%(kinds)s::text[]) and f.failed_at < clock_timestamp() - interval '1 hour'))
order by o.id
limit %(limit)s;
