-- What a client sees: its own orders, newest first.
-- no-transaction
create index concurrently if not exists orders_by_client on orders (client, id);
