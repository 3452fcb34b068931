-- Looking at orders.

-- name: read_orders
-- These orders with their accounts' names and papers, for clients.
select
    orders.id, orders.client, orders.idempotency_key, orders.cad_num, orders.state::text, orders.status, orders.error,
    orders.rosreestr_user_id as account_id, rosreestr_users.username as account,
    orders.rosreestr_order_num as order_number,
    orders.recipient, orders.comment, orders.is_urgent,
    orders.hold_reason, orders.portal_status,
    orders.created_at, orders.updated_at, orders.registered_at, orders.finished_at, orders.next_at,
    coalesce(papers.papers, '[]'::jsonb) as papers
from orders
left join rosreestr_users on rosreestr_users.id = orders.rosreestr_user_id
left join lateral (
    select jsonb_agg(
        jsonb_build_object(
            'kind', order_extracts.kind,
            'sha256', extracts.sha256,
            'size_bytes', extracts.size_bytes,
            'file_name', order_extracts.file_name,
            'registration_number', order_extracts.registration_number,
            'reason', order_extracts.reason
        )
        order by order_extracts.received_at, extracts.id
    ) as papers
    from order_extracts
    join extracts on extracts.id = order_extracts.extract_id
    where order_extracts.order_id = orders.id
) as papers on true
where orders.id = any(%(ids)s::bigint[]);

-- name: list_ids
-- A page of ids, newest first; a filter that is null holds always.
select orders.id
from orders
where (%(before_id)s::bigint is null or orders.id < %(before_id)s::bigint)
  and (%(states)s::order_state[] is null or orders.state = any(%(states)s::order_state[]))
  and (%(cad_key)s::text is null or orders.cad_key = %(cad_key)s::text)
  and (%(account_id)s::integer is null or orders.rosreestr_user_id = %(account_id)s::integer)
  and (%(client)s::text is null or orders.client = %(client)s::text)
  and (not %(only_on_hold)s::boolean or orders.hold_reason is not null)
  and (%(created_from)s::timestamptz is null or orders.created_at >= %(created_from)s::timestamptz)
  and (%(created_before)s::timestamptz is null or orders.created_at < %(created_before)s::timestamptz)
order by orders.id desc
limit %(limit)s;

-- name: find_account
-- The account of this name.
select id from rosreestr_users where username = %(account)s;

-- name: find_by_keys
-- The client's orders of these keys.
select id, idempotency_key
from orders
where client = %(client)s and idempotency_key = any(%(keys)s::text[]);

-- name: list_events
-- Steps of an order's life, oldest first.
select id, at, actor, kind, from_state::text, to_state::text, reason
from order_events
where order_id = %(id)s and id > %(after_id)s
order by id
limit %(limit)s;

-- name: list_latest_events
-- Steps of an order's life, newest first.
select id, at, actor, kind, from_state::text, to_state::text, reason
from order_events
where order_id = %(id)s and id > %(after_id)s and (%(before_id)s::bigint is null or id < %(before_id)s::bigint)
order by id desc
limit %(limit)s;
