-- before-deploy
-- Sends of which their sender said that nothing left before the gate knew of them (the gate's call was given up, and is still on its way): such a
-- send can't pass any more. Else the order would be unconfirmed, with nobody who sends.

create table unsent_sends (
    send_id      uuid primary key,
    order_id     bigint not null references orders on delete cascade,
    username     text not null,
    recorded_at  timestamptz not null default clock_timestamp()
);
create index unsent_sends_by_order on unsent_sends (order_id);
