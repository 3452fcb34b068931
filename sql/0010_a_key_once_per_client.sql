-- before-deploy
-- no-transaction
-- An order is accepted once: the same key of the same client again is the same order. The service of the version before asks for the constraint on the
-- key alone, which goes with 0011. Writers go on meanwhile.

create unique index concurrently if not exists orders_key_is_the_clients_own on orders (client, idempotency_key);
