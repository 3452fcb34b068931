-- Counting orders.

-- name: count_orders
-- Orders that were accepted in a span of time: in all (kind 7), by account (3), by account and state (2), by day and
-- state (4). One statement, so that they are numbers of one moment.
with chosen as materialized (
    select orders.id, orders.state, orders.rosreestr_user_id, orders.hold_reason is not null as is_held,
           (orders.created_at at time zone %(time_zone)s::text)::date as day,
           case when orders.state = 'completed' then extract(epoch from orders.finished_at - orders.created_at) end as took_s
    from orders
    where orders.created_at >= %(created_from)s::timestamptz and orders.created_at < %(created_before)s::timestamptz
      and (%(client)s::text is null or orders.client = %(client)s::text)
      and (%(account_id)s::integer is null or orders.rosreestr_user_id = %(account_id)s::integer)
),
sent as (
    select sends.order_id, count(*) filter (where sends.outcome = 'number') as charges,
           count(*) filter (where sends.outcome is null) as open_sends
    from sends
    where sends.order_id in (select id from chosen) and (sends.outcome is null or sends.outcome = 'number')
    group by sends.order_id
),
counted as (
    select grouping(chosen.rosreestr_user_id, chosen.day, chosen.state) as kind,
           chosen.rosreestr_user_id, chosen.day, chosen.state,
           count(*)::integer as orders,
           (count(*) filter (where chosen.is_held))::integer as on_hold,
           coalesce(sum(sent.charges), 0)::integer as charges,
           coalesce(sum(sent.open_sends), 0)::integer as open_sends,
           count(chosen.took_s)::integer as extracts,
           percentile_disc(array[0.5, 0.9, 1]) within group (order by chosen.took_s) as took_s
    from chosen
    left join sent on sent.order_id = chosen.id
    group by grouping sets ((), (chosen.rosreestr_user_id), (chosen.rosreestr_user_id, chosen.state), (chosen.day, chosen.state))
)
select counted.kind, rosreestr_users.username as account, counted.day, counted.state::text as state,
       counted.orders, counted.on_hold, counted.charges, counted.open_sends, counted.extracts, counted.took_s
from counted
left join rosreestr_users on rosreestr_users.id = counted.rosreestr_user_id
order by counted.kind, rosreestr_users.username nulls first, counted.day, counted.state;
