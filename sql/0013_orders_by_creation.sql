-- before-deploy
-- no-transaction
-- ListOrders by a span of time; without it each such page reads the whole table.
create index concurrently if not exists orders_by_creation on orders (created_at, id);
