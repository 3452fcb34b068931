-- Whose orders are.

-- name: find_owners
-- The clients of these orders.
select id, client from orders where id = any(%(ids)s::bigint[]);
