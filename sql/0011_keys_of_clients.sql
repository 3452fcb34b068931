-- after-deploy
-- A key is its client's own (0010): the same key of another client is another order. The service of the version before can't accept orders without this
-- constraint. An instant.

alter table orders drop constraint orders_idempotency_key_key;
