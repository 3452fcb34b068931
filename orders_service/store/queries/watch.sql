-- Steps of orders in the order in which they are told: by the transaction that they were written in, then by id. Only what lies
-- below the first transaction that isn't over is told: nothing can be written there any more.

-- name: find_end
-- How far the steps can be told now, as the last one's place; and whether there are any from a cluster with other transactions.
select
    coalesce(last.written_in, '0'::xid8)::text as written_in, coalesce(last.id, 0) as id,
    exists (
        select from order_events
        where coalesce(written_in, '0'::xid8) >= pg_snapshot_xmax(pg_current_snapshot())
    ) as is_foreign
from (select) as one
left join lateral (
    select written_in, id
    from order_events
    where coalesce(written_in, '0'::xid8) < pg_snapshot_xmin(pg_current_snapshot())
    order by coalesce(written_in, '0'::xid8) desc, id desc
    limit 1
) as last on true;

-- name: find_place
-- The place of a step.
select coalesce(written_in, '0'::xid8)::text as written_in, id from order_events where id = %(id)s;

-- name: list_after
-- The next steps of all orders, or of a client's.
select
    event.order_id, orders.client, coalesce(event.written_in, '0'::xid8)::text as written_in, event.id, event.at, event.actor,
    event.kind, event.from_state::text, event.to_state::text, event.reason
from order_events as event
join orders on orders.id = event.order_id
where (coalesce(event.written_in, '0'::xid8), event.id) > (%(written_in)s::xid8, %(id)s::bigint)
  and coalesce(event.written_in, '0'::xid8) < pg_snapshot_xmin(pg_current_snapshot())
  and (%(client)s::text is null or orders.client = %(client)s::text)
order by coalesce(event.written_in, '0'::xid8), event.id
limit %(limit)s;

-- name: list_of_orders_after
-- The next steps of these orders.
select
    event.order_id, orders.client, coalesce(event.written_in, '0'::xid8)::text as written_in, event.id, event.at, event.actor,
    event.kind, event.from_state::text, event.to_state::text, event.reason
from order_events as event
join orders on orders.id = event.order_id
where event.order_id = any(%(order_ids)s::bigint[])
  and (coalesce(event.written_in, '0'::xid8), event.id) > (%(written_in)s::xid8, %(id)s::bigint)
  and coalesce(event.written_in, '0'::xid8) < pg_snapshot_xmin(pg_current_snapshot())
order by coalesce(event.written_in, '0'::xid8), event.id
limit %(limit)s;
