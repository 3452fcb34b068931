-- after-deploy
-- Nothing asks by it since 0019, and each change of an order had to write to it. An instant.

drop index orders_by_update;
