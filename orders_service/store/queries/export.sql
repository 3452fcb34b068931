-- Orders as a table.

-- name: list_summaries
-- What the extracts of these orders say, where they have one and it says something.
select orders.id as order_id, order_extracts.summary
from orders
join order_extracts on order_extracts.order_id = orders.id and order_extracts.extract_id = orders.extract_id
where orders.id = any(%(ids)s::bigint[]) and order_extracts.kind = 'extract' and order_extracts.summary is not null;
