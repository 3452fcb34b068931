-- before-deploy
-- no-transaction
-- Whose paper a file is, where old files are removed.
create index concurrently if not exists order_extracts_by_extract on order_extracts (extract_id);
