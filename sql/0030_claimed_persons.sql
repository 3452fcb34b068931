-- before-deploy
-- A new secret takes back whom the account turned out to be, also where it stands by for another reason by now: what a person confirms
-- afterwards isn't that session's. The service leaves the end of a standby to these triggers alone. An instant.

create or replace function end_standby_by_secret() returns trigger language plpgsql as $$
begin
    -- Whoever sets it: `accounts set --password`, `--totp`, `import-session`, or SQL. What waits for a new secret has one.
    new.claimed_person_oid = null;
    if new.standby_kind in ('login_refused', 'person_needed') and new.standby_kind is not distinct from old.standby_kind then
        new.standby_kind = null;
        new.standby_reason = null;
        new.standby_since = null;
        new.standby_until = null;
    end if;
    -- Who gives a new secret looked at the account: passwords are counted anew.
    new.passwords_sent = 0;
    new.password_sent_at = null;
    new.updated_at = greatest(new.updated_at, old.updated_at + interval '1 microsecond', clock_timestamp());
    return new;
end
$$;
