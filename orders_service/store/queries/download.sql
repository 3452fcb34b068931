-- What came of an order on paper, for a client to fetch.

-- name: find_paper
-- What a client gets of an order: its extract, else the latest notice; never what was put aside.
select orders.id as order_id, orders.state::text, orders.status, orders.hold_reason,
       extracts.id as extract_id, order_extracts.kind, extracts.sha256, extracts.size_bytes,
       extracts.place, extracts.removed_at,
       order_extracts.file_name, order_extracts.registration_number, order_extracts.reason
from orders
left join order_extracts on order_extracts.order_id = orders.id
    and (order_extracts.kind = 'notice' or (order_extracts.kind = 'extract' and order_extracts.extract_id = orders.extract_id))
left join extracts on extracts.id = order_extracts.extract_id
where orders.id = %(id)s
order by order_extracts.kind, order_extracts.received_at desc
limit 1;

-- name: find_paper_of_hash
-- The paper of this hash that came of an order.
select extracts.id as extract_id, order_extracts.kind, extracts.sha256, extracts.size_bytes,
       extracts.place, extracts.removed_at,
       order_extracts.file_name, order_extracts.registration_number, order_extracts.reason
from order_extracts
join extracts on extracts.id = order_extracts.extract_id
where order_extracts.order_id = %(id)s and extracts.sha256 = %(sha256)s;

-- name: find_quarantined
-- What was put aside last of what came of an order.
select extracts.id as extract_id, order_extracts.kind, extracts.sha256, extracts.size_bytes,
       extracts.place, extracts.removed_at,
       order_extracts.file_name, order_extracts.registration_number, order_extracts.reason
from order_extracts
join extracts on extracts.id = order_extracts.extract_id
where order_extracts.order_id = %(id)s and order_extracts.kind = 'quarantined'
order by order_extracts.received_at desc, extracts.id desc
limit 1;

-- name: find_owned
-- Which of these orders are this client's.
select id from orders where id = any(%(ids)s::bigint[]) and client = %(client)s::text;
