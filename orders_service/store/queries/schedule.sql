-- Open orders and where on the queue they belong: a bound one in its account's lane.

-- name: call_for_looks
-- Orders that are over and to be looked for once more get a job again, and a day later once more where nothing came of it. After so many tries
-- it is said in the history whose list was never read, and they are over: their ids.
with due as (
    select id, look_at, look_tries
    from orders
    where look_at <= clock_timestamp() and state in ('completed', 'failed')
      and relayed_at < greatest(look_at, clock_timestamp() - interval '1 day')
    for update skip locked
), called as (
    update orders
    set relayed_at = null, look_tries = orders.look_tries + 1
    from due
    where orders.id = due.id and due.look_tries < %(tries)s
), missed as (
    update orders
    set look_at = null, look_tries = 0
    from due
    where orders.id = due.id and due.look_tries >= %(tries)s
    returning orders.id, orders.state, due.look_at
)
insert into order_events (order_id, actor, kind, reason)
select missed.id, %(actor)s, %(kind)s,
       'in ' || %(tries)s || ' days nobody read the list of '
       || coalesce((select string_agg(distinct u.username, ', ')
                    from sends s
                    join submissions m on m.id = s.submission_id
                    join rosreestr_users u on u.id = m.rosreestr_user_id
                    where s.order_id = missed.id and (s.outcome = 'absent' or s.outcome is null and missed.state = 'failed')
                      and (s.looked_at is null or s.looked_at < missed.look_at)), 'its account')
       || ' as whoever sent the order: whether that send turned up is not known'
from missed
returning order_id;

-- name: walk_in_order
-- For this transaction: a page is the first entries of an index. Where the planner takes the orders that wait for a few, as after a bulk call of
-- which it knows nothing yet, it reads and sorts all of them for each page.
select set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true);

-- name: take_unrelayed
-- Orders that aren't on the queue yet, locked until they are; what another relay has in hand is left to it. One that is over goes to the account
-- whose list is to be read for a late row.
select
    orders.id, orders.state::text, orders.fence, orders.is_urgent,
    coalesce(case when orders.state in ('completed', 'failed') then (
                 select u.username
                 from sends s
                 join submissions m on m.id = s.submission_id
                 join rosreestr_users u on u.id = m.rosreestr_user_id
                 where s.order_id = orders.id and (s.outcome = 'absent' or s.outcome is null and orders.state = 'failed')
                   and (s.looked_at is null or s.looked_at < orders.look_at)
                 -- One that nobody runs any more keeps nobody from looking.
                 order by u.is_active desc, s.gate_at
                 limit 1) end,
             case when orders.bound_at is not null then rosreestr_users.username end) as username,
    -- A time that never comes can't be subtracted from before PostgreSQL 17: a century is as far.
    greatest(0, coalesce(extract(epoch from
        case when orders.next_at <= clock_timestamp() then interval '0'
             when orders.next_at >= clock_timestamp() + interval '100 years' then interval '100 years'
             else orders.next_at - clock_timestamp() end), 0))::double precision as delay_s
from orders
left join rosreestr_users on rosreestr_users.id = orders.rosreestr_user_id
where orders.relayed_at is null
  and orders.id > %(after_id)s
  and orders.hold_reason is null
  and (orders.state in ('queued', 'processing', 'unconfirmed', 'registered') or orders.state in ('completed', 'failed') and orders.look_at <= clock_timestamp())
order by orders.id
limit %(limit)s
for update of orders skip locked;

-- name: mark_relayed
-- These orders are on the queue now.
update orders set relayed_at = clock_timestamp() where id = any(%(ids)s::bigint[]);

-- name: page_of_open
-- A page of open orders that should have a live job: relayed a while ago, not waiting for a person, in nobody's hand. Of some orders only, or
-- only of silent ones: somebody had them in hand and was heard of no more, or should have taken them up a while ago.
select
    orders.id, orders.state::text, orders.fence, orders.is_urgent,
    case when orders.bound_at is not null then rosreestr_users.username end as username,
    -- A time that never comes can't be subtracted from before PostgreSQL 17: a century is as far.
    greatest(0, coalesce(extract(epoch from
        case when orders.next_at <= clock_timestamp() then interval '0'
             when orders.next_at >= clock_timestamp() + interval '100 years' then interval '100 years'
             else orders.next_at - clock_timestamp() end), 0))::double precision as delay_s
from orders
left join rosreestr_users on rosreestr_users.id = orders.rosreestr_user_id
where orders.id > %(after_id)s
  and orders.state in ('queued', 'processing', 'unconfirmed', 'registered')
  and orders.hold_reason is null
  and orders.relayed_at < clock_timestamp() - make_interval(secs => %(margin_s)s)
  and (orders.seen_at is null or orders.seen_at < clock_timestamp() - make_interval(secs => %(lease_s)s))
  and (%(ids)s::bigint[] is null or orders.id = any(%(ids)s::bigint[]))
  and (not %(is_silent)s or orders.seen_at is not null
       or orders.next_at < clock_timestamp() - make_interval(secs => %(lease_s)s))
order by orders.id
limit %(limit)s;

-- name: newest_open
-- The latest open orders: a server that failed over forgets the latest first.
select id
from orders
where state in ('queued', 'processing', 'unconfirmed', 'registered')
order by id desc
limit 3;

-- name: add_event
-- A line of these orders' history that isn't a transition.
insert into order_events (order_id, actor, kind, reason)
select id, %(actor)s, %(kind)s, %(reason)s from unnest(%(ids)s::bigint[]) as given (id);

-- name: try_reconcile
-- One process compares orders with the queue at a time; the lock ends with the session.
select pg_try_advisory_lock(%(key)s::bigint) as is_locked;
