-- A fence is a number of microseconds, as the queue counts them, and must leave room to be overtaken: what claims an order needs a greater one.
-- One of 2^52 or more (the year 2112) was never given by a queue; such an order gets the fence that a delivery of this moment would have.

update orders set fence = (extract(epoch from clock_timestamp()) * 1000000)::bigint where fence >= 4503599627370496;
alter table orders add constraint orders_fence_can_be_overtaken check (fence < 4503599627370496);
