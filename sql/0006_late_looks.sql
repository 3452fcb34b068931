-- An order that had a send settled as absent is looked for once more when it is collected, and a day after it got its number: a late row says
-- that it was paid twice. NULL: nothing is to be looked for.

alter table orders add column look_at timestamptz;
create index orders_to_look_at on orders (look_at) where look_at is not null;
