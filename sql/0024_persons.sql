-- before-deploy
-- Whom an order is bound to, which of its sends is open, and who the account is at the portal become columns with constraints. Lists, numbers and
-- balances at the portal belong to a person, not to an account of ours: two accounts may turn out to be one person, so what guards a payment
-- compares persons. Fills them from the journal, under an exclusive lock on orders: some seconds for each million of orders. A service of the
-- version before doesn't write them: beside this schema it is refused what would leave them out, so it takes no orders until it is replaced.

alter table rosreestr_users
    -- Who the account is at the portal; learnt at its first intent. NULL: not known yet.
    add column person_oid         text check (length(person_oid) > 0),
    -- Whom it turned out to be since, or a person whom another account is already: it stands by until somebody confirms it.
    add column claimed_person_oid text check (length(claimed_person_oid) > 0);

alter table orders
    -- Since when nobody but its account can go on with it: the intent binds it. NULL: any account may take it.
    add column bound_at     timestamptz,
    -- As whom at the portal: everything that is unique in the portal's list is so for a person.
    add column person_oid   text,
    -- The send that is between gate and number.
    add column open_send_id uuid;

alter table sends add column person_oid text;
update sends s set person_oid = m.person_oid from submissions m where m.id = s.submission_id;
alter table sends alter column person_oid set not null;

update orders o
set bound_at = coalesce(m.intent_at, o.registered_at, o.updated_at), person_oid = m.person_oid,
    open_send_id = (select s.send_id from sends s where s.order_id = o.id and s.outcome is null and o.state = 'unconfirmed')
from submissions m
where m.order_id = o.id and m.rosreestr_user_id = o.rosreestr_user_id
  and (o.state in ('unconfirmed', 'registered', 'completed')
       or o.state in ('processing', 'failed') and m.intent_at is not null
       or o.state = 'failed' and exists (select 1 from sends s where s.order_id = o.id and s.outcome is distinct from 'not_sent'));
-- Registered by hand, past the journal: as whom isn't known.
update orders set bound_at = coalesce(registered_at, updated_at) where state in ('registered', 'completed') and bound_at is null;

-- The latest intent says who an account is; of two accounts that are one person the first stays, the other one stands by.
update rosreestr_users u
set person_oid = (select m.person_oid from submissions m where m.rosreestr_user_id = u.id order by m.created_at desc, m.id desc limit 1);
update rosreestr_users u
set claimed_person_oid = u.person_oid, person_oid = null,
    standby_kind = 'person_needed', standby_until = null, standby_since = clock_timestamp(),
    standby_reason = 'It is the same person at the portal as account ' || o.username || ': deactivate one of the two, or give this one a login of its own.',
    updated_at = greatest(clock_timestamp(), u.updated_at + interval '1 microsecond')
from rosreestr_users o
where o.person_oid = u.person_oid and o.id < u.id and o.is_active and u.is_active;

-- One account that takes orders is a person.
create unique index accounts_one_per_person on rosreestr_users (person_oid) where is_active;

alter table sends add constraint sends_of_their_order unique (order_id, send_id);
alter table orders
    add constraint orders_bound_to_an_account check (bound_at is null or rosreestr_user_id is not null),
    add constraint orders_bound_as_somebody check (person_oid is null or bound_at is not null),
    add constraint orders_bound_by_state check (
        case when state in ('unconfirmed', 'registered', 'completed') then bound_at is not null
             when state = 'queued' then bound_at is null
             else true end),
    add constraint orders_open_send check ((state = 'unconfirmed') = (open_send_id is not null)),
    add constraint orders_sent_as_somebody check (state <> 'unconfirmed' or person_oid is not null),
    add constraint orders_open_send_is_their_own foreign key (id, open_send_id) references sends (order_id, send_id);

-- A portal's number, and its application, belong to one order of a person, for ever. (Beside orders_number_is_unique, of an account: where a
-- number came from before the person was known, that one holds.)
create unique index orders_number_of_a_person on orders (person_oid, rosreestr_order_num) where rosreestr_order_num is not null;
create unique index orders_application_of_a_person on orders (person_oid, rosreestr_application_id) where rosreestr_application_id is not null;
-- One order of an object per person is between the gate and its number: else a new row of the list couldn't be told apart.
create unique index orders_one_send_of_a_person on orders (person_oid, cad_key) where state = 'unconfirmed';
drop index orders_one_send_per_object;
-- What an account has to collect, and what the reconciler unbinds.
create index orders_bound on orders (rosreestr_user_id) where bound_at is not null and state in ('processing', 'unconfirmed', 'registered');
drop index orders_open_by_account;
-- The expected balance: what the person's later sends cost.
create index sends_of_a_person_with_number on sends (person_oid, gate_at) where outcome = 'number';
drop index sends_with_number;

-- orders.bound_at says it.
alter table submissions drop column intent_at;

-- Whoever activates an account confirms by it whom it turned out to be; a new secret takes that back.
create or replace function end_standby_by_secret() returns trigger language plpgsql as $$
begin
    -- As `accounts set --password` and `import-session`: what waits for a new secret has one.
    if new.standby_kind in ('login_refused', 'person_needed') and new.standby_kind is not distinct from old.standby_kind then
        new.standby_kind = null;
        new.standby_reason = null;
        new.standby_since = null;
        new.standby_until = null;
        new.claimed_person_oid = null;
    end if;
    new.updated_at = greatest(new.updated_at, old.updated_at + interval '1 microsecond', clock_timestamp());
    return new;
end
$$;
create or replace function end_standby_by_activation() returns trigger language plpgsql as $$
begin
    -- As `accounts activate`: whatever was in the way. Also where it was active already: it is said anew.
    if new.is_active then
        new.standby_kind = null;
        new.standby_reason = null;
        new.standby_since = null;
        new.standby_until = null;
        new.person_oid = coalesce(new.claimed_person_oid, new.person_oid);
        new.claimed_person_oid = null;
    end if;
    new.updated_at = greatest(new.updated_at, old.updated_at + interval '1 microsecond', clock_timestamp());
    return new;
end
$$;
