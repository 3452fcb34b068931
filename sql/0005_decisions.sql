-- What persons decided about orders. A case is what a person is shown: its number grows with each hold and each decision, so that a
-- decision is about what was seen, and its repeat is known as one, whatever came of the order since.

alter table orders add column case_no integer not null default 1;
-- Since when the list no longer shows the row of a registered order.
alter table orders add column row_missing_since timestamptz;

-- When a person last decided about the send: readings count from here anew. NULL: never.
alter table sends add column decided_at timestamptz;
-- Since when the balance beside is what is to be expected: a person's decision takes it from the last reading that he saw. NULL: the gate.
alter table sends add column balance_at timestamptz;

create table decisions (
    order_id         bigint not null references orders on delete cascade,
    case_no          integer not null,
    send_id          uuid references sends,
    kind             text not null check (kind in ('number', 'absent', 'resume', 'give_up')),
    number           text,
    -- The rows of which the person said that they aren't the order's.
    application_ids  bigint[] not null default '{}',
    actor            text not null,
    reason           text not null default '',
    decided_at       timestamptz not null default clock_timestamp(),
    primary key (order_id, case_no),
    check ((kind = 'number') = (number is not null))
);
-- A send whose order goes is gone with it; and whether a send has decisions.
create index decisions_by_send on decisions (send_id);
