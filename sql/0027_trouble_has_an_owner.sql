-- before-deploy
-- What nobody may forget over a restart: how often an order met the same trouble at a step, and how many passwords were sent for an account without
-- a call of use. Beside them the secret of one-time codes, and a kind of standby: the portal is to be left alone for a while. Adds columns with
-- constant defaults: no rewrite; the accounts are locked for a moment.

create table strikes (
    order_id bigint      not null references orders on delete cascade,
    -- Which call of the portal, or what else: each step is counted by itself.
    step     text        not null check (length(step) between 1 and 64),
    count    integer     not null default 1 check (count > 0),
    first_at timestamptz not null default clock_timestamp(),
    last_at  timestamptz not null default clock_timestamp(),
    -- The delivery that met it last: its repeat isn't another one.
    fence    bigint      not null,
    primary key (order_id, step)
);

create function forget_strikes() returns trigger language plpgsql as $$
begin
    -- A paid call that wasn't sent brings the order back from its gate to where it was: what went wrong there is counted over all of its gates.
    delete from strikes
    where order_id = new.id
      and (step not in ('finish', 'orders service') or new.state not in ('processing', 'unconfirmed')
           or old.hold_reason is not null and new.hold_reason is null);
    return null;
end
$$;
-- An order that moved on, or that a person let go on, begins anew. Back and forth between queued and processing it didn't move.
create trigger orders_moved_on after update of state, hold_reason on orders
    for each row
    when (old.hold_reason is not null and new.hold_reason is null
          or new.state is distinct from old.state
             and not (old.state in ('queued', 'processing') and new.state in ('queued', 'processing')))
    execute function forget_strikes();

alter table rosreestr_users
    -- In a row, without a call in between that was of use.
    add column passwords_sent   integer not null default 0 check (passwords_sent >= 0),
    add column password_sent_at timestamptz,
    -- Secret of the login's one-time codes, sealed.
    add column totp_encrypted   text,
    drop constraint rosreestr_users_standby_kind_check,
    add constraint rosreestr_users_standby_kind_check
        check (standby_kind in ('exhausted', 'login_refused', 'person_needed', 'unusable', 'forbidden', 'limited'));

-- Who gives an account a new secret, or activates it, looked at it: passwords are counted anew.
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
    new.passwords_sent = 0;
    new.password_sent_at = null;
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
        new.passwords_sent = 0;
        new.password_sent_at = null;
    end if;
    new.updated_at = greatest(new.updated_at, old.updated_at + interval '1 microsecond', clock_timestamp());
    return new;
end
$$;
drop trigger rosreestr_users_secret_set on rosreestr_users;
create trigger rosreestr_users_secret_set before update of password_encrypted, session_encrypted, totp_encrypted on rosreestr_users
    for each row
    when (new.password_encrypted is distinct from old.password_encrypted and new.password_encrypted is not null
          or new.session_encrypted is distinct from old.session_encrypted and new.session_encrypted is not null
          or new.totp_encrypted is distinct from old.totp_encrypted and new.totp_encrypted is not null)
    execute function end_standby_by_secret();
