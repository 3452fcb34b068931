-- Accepting orders.

-- name: insert_orders
-- Store new orders with their first event; answers position and id of each that was stored, not of those whose key exists; and,
-- without a position, the latest open order of the same client that was there before for each object that has one. (One list
-- beside the other: a join of the two would be a guess of the planner, who knows nothing of ten thousand fresh rows.)
-- The ids are drawn beforehand, so that each answer finds its position. Keys are inserted in their order, else two calls
-- with the same keys in another order would lock each other out.
with given as materialized (
    select nextval(pg_get_serial_sequence('orders', 'id')) as id, wanted.*
    from unnest(
        %(cad_nums)s::text[], %(recipients)s::text[], %(comments)s::text[],
        %(urgencies)s::boolean[], %(keys)s::text[], %(hashes)s::text[]
    ) with ordinality as wanted (cad_num, recipient, comment, is_urgent, idempotency_key, request_hash, position)
    order by wanted.position
),
stored as (
    insert into orders (id, client, cad_num, recipient, comment, is_urgent, idempotency_key, request_hash)
    select id, %(client)s::text, cad_num, recipient, comment, is_urgent, idempotency_key, request_hash
    from given
    order by idempotency_key, id
    on conflict (client, idempotency_key) do nothing
    returning id, cad_key
),
noted as (
    insert into order_events (order_id, actor, kind, to_state, written_in)
    select id, 'client', 'transition', 'queued', pg_current_xact_id() from stored order by id
)
select given.position, stored.id, stored.cad_key
from stored
join given on given.id = stored.id
union all
select null, max(id), cad_key
from orders
where cad_key = any(%(cad_keys)s::text[]) and client = %(client)s::text
  and state in ('queued', 'processing', 'unconfirmed', 'registered')
group by cad_key;

-- name: insert_order
-- Store one new order with its first event; answers the whole order as clients see it (as `read_orders` does), with the latest open order of the
-- same client and object that was there before; nothing, where its key exists.
with stored as (
    insert into orders (client, cad_num, recipient, comment, is_urgent, idempotency_key, request_hash)
    values (%(client)s::text, %(cad_num)s::text, %(recipient)s::text, %(comment)s::text,
            %(is_urgent)s::boolean, %(key)s::text, %(hash)s::text)
    on conflict (client, idempotency_key) do nothing
    returning *
),
noted as (
    insert into order_events (order_id, actor, kind, to_state, written_in)
    select id, 'client', 'transition', 'queued', pg_current_xact_id() from stored
)
select
    id, client, idempotency_key, cad_num, state::text, status, error,
    rosreestr_user_id as account_id, null::text as account, rosreestr_order_num as order_number,
    recipient, comment, is_urgent, hold_reason, portal_status,
    created_at, updated_at, registered_at, finished_at, next_at,
    '[]'::jsonb as papers,
    -- Grouped, so that it isn't looked for from the latest open order downwards.
    (select max(earlier.id)
     from orders earlier
     where earlier.cad_key = %(cad_key)s::text and earlier.client = %(client)s::text
       and earlier.state in ('queued', 'processing', 'unconfirmed', 'registered')
     group by earlier.cad_key) as same_object
from stored;

-- name: find_by_keys
-- The client's orders that had these keys before.
select id, state::text, idempotency_key, request_hash
from orders
where client = %(client)s and idempotency_key = any(%(keys)s::text[]);
