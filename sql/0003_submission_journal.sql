-- The journal of a submission: what was meant, what passed the gate, what the portal showed. Nothing about money rests on anything else.

create type send_outcome as enum (
    'number',    -- the portal's row was found and adopted
    'absent',    -- enough readings, over enough time, showed nothing
    'not_sent'   -- its own sender says that no byte left
);

create table submissions (
    id                     bigint generated always as identity primary key,
    order_id               bigint not null references orders on delete cascade,
    rosreestr_user_id      integer not null references rosreestr_users,
    -- Made once per order and account, and kept for ever: a repeated upload is the same upload.
    super_package_guid     uuid not null,
    statement_guid         uuid not null,
    package_guid           uuid not null,
    draft_guid             uuid not null,
    -- The intent binds the order to the account. Cleared when the order goes back to queued.
    intent_at              timestamptz,
    person_oid             text not null,
    access_key             text not null,
    balance                integer not null,
    portal_cad_num         text not null,
    -- Applications of this object that the account's list showed before anything was sent, and those of which a person said later that they
    -- aren't ours.
    known_application_ids  bigint[] not null,
    uploaded_at            timestamptz,
    created_at             timestamptz not null default now(),
    unique (order_id, rosreestr_user_id)
);

create table sends (
    send_id         uuid primary key,
    order_id        bigint not null references orders on delete cascade,
    submission_id   bigint not null references submissions,
    fence           bigint not null,
    fence_token     text not null,
    epoch           bigint not null,
    -- By this server's clock; the time of absence counts from here.
    gate_at         timestamptz not null default clock_timestamp(),
    absent_after_s  double precision not null check (absent_after_s > 0),
    -- The balance that was journalled before this gate.
    balance         integer not null,
    -- What finish answered, if anything: only says which row to expect.
    answer_status   integer,
    answer_text     text,
    answered_at     timestamptz,
    expected_number text,
    outcome         send_outcome,
    settled_at      timestamptz,
    -- readings, worker:ACCOUNT (a row, or nothing sent), operator:NAME
    settled_by      text,
    check ((outcome is null) = (settled_at is null))
);
-- The gate: another send is refused until the first was settled.
create unique index sends_one_open_per_order on sends (order_id) where outcome is null;
create index sends_by_order on sends (order_id, gate_at);
-- The expected balance: what the account's later sends cost.
create index sends_with_number on sends (gate_at) where outcome = 'number';
-- Whether finish named a number to another order already.
create index sends_by_expected_number on sends (expected_number) where expected_number is not null;

-- Facts: what the portal showed, whoever saw it and however late. Appended always, turned into a transition by the holder or the service.
create table facts (
    id           bigint generated always as identity primary key,
    order_id     bigint not null references orders on delete cascade,
    send_id      uuid references sends,
    kind         text not null check (kind in ('finish_answer', 'not_sent', 'refusal', 'reading')),
    recorded_at  timestamptz not null default clock_timestamp(),
    username     text not null,
    fence        bigint not null,
    fence_token  text not null,
    content      jsonb not null,
    -- NULL: not weighed yet (nobody held the order with this fence when it came).
    weighed_at   timestamptz
);
create index facts_by_order on facts (order_id, id);
create index facts_not_weighed on facts (order_id) where weighed_at is null;

-- Readings of the account's list that may count towards absence.
create table readings (
    id          bigint generated always as identity primary key,
    send_id     uuid not null references sends,
    fact_id     bigint not null unique references facts,
    read_at     timestamptz not null,
    -- NULL: it counts. Else why not, a value of orders_service.domain.absence.VoidReason: other_person, filtered, low_balance ...
    void_reason text check (length(void_reason) > 0)
);
create index readings_by_send on readings (send_id, read_at);
