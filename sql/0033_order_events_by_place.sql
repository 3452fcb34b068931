-- before-deploy
-- no-transaction
-- The steps of all orders in the order in which they are told.
create index concurrently if not exists order_events_by_place
    on order_events (coalesce(written_in, '0'::xid8), id);
