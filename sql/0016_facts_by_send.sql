-- before-deploy
-- no-transaction
-- What is known of a send, when it goes with its order.
create index concurrently if not exists facts_by_send on facts (send_id) where send_id is not null;
