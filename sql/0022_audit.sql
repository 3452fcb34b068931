-- Who did what, why, from where, and what it changed. Only appended to.

create table audit (
    id         bigint generated always as identity primary key,
    -- A call has a row before it is made and one after it. The first without the second: it isn't known how it ended.
    call_id    uuid not null,
    step       text not null check (step in ('asked', 'done')),
    at         timestamptz not null default clock_timestamp(),
    -- operator:NAME, client:NAME, worker:ACCOUNT, shell:USER, anybody
    actor      text not null check (length(actor) between 1 and 200),
    token_id   integer references tokens,
    -- The other end of the connection, or the shell of this machine.
    origin     text not null,
    -- The call, like OperatorService/SettleByNumber, or the command.
    action     text not null,
    order_ids  bigint[] not null default '{}',
    account    text,
    reason     text,
    -- What was asked, without secrets and without personal data.
    request    jsonb,
    -- What it was about, before and after.
    before     jsonb,
    after      jsonb,
    -- OK, or the code of the refusal.
    outcome    text,
    check ((step = 'done') = (outcome is not null))
);
create unique index audit_by_call on audit (call_id, step);
create index audit_by_order on audit using gin (order_ids);
create index audit_by_actor on audit (actor, id);
create index audit_by_account on audit (account, id) where account is not null;

create function refuse_change_of_audit() returns trigger language plpgsql as $$
begin
    raise exception 'the audit is only appended to' using errcode = 'insufficient_privilege';
end
$$;
create trigger audit_is_kept before update or delete on audit for each row execute function refuse_change_of_audit();
create trigger audit_is_kept_whole before truncate on audit for each statement execute function refuse_change_of_audit();
