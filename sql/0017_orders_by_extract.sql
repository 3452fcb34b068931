-- before-deploy
-- no-transaction
-- Whose extract a file is, where old files are removed.
create index concurrently if not exists orders_by_extract on orders (extract_id) where extract_id is not null;
