-- before-deploy
-- no-transaction
-- The operators' own statement of what failed (status LIKE …): it reads these, and sorts what it finds.
create index concurrently if not exists orders_failed on orders (id) where status like 'Ошибка:%';
