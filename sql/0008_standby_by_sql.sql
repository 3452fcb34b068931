-- Operators set a password and is_active by SQL. That ends the account's standby as the commands do, and workers hear of it.
-- Creating the triggers waits for whoever changes an account at this moment, and lasts no time.

create function end_standby_by_secret() returns trigger language plpgsql as $$
begin
    -- As `accounts set --password` and `import-session`: what waits for a new secret has one.
    if new.standby_kind in ('login_refused', 'person_needed') and new.standby_kind is not distinct from old.standby_kind then
        new.standby_kind = null;
        new.standby_reason = null;
        new.standby_since = null;
        new.standby_until = null;
    end if;
    new.updated_at = greatest(new.updated_at, old.updated_at + interval '1 microsecond', clock_timestamp());
    return new;
end
$$;
create trigger rosreestr_users_secret_set before update of password_encrypted, session_encrypted on rosreestr_users
    for each row
    when (new.password_encrypted is distinct from old.password_encrypted and new.password_encrypted is not null
          or new.session_encrypted is distinct from old.session_encrypted and new.session_encrypted is not null)
    execute function end_standby_by_secret();

create function end_standby_by_activation() returns trigger language plpgsql as $$
begin
    -- As `accounts activate`: whatever was in the way. Also where it was active already: it is said anew.
    if new.is_active then
        new.standby_kind = null;
        new.standby_reason = null;
        new.standby_since = null;
        new.standby_until = null;
    end if;
    new.updated_at = greatest(new.updated_at, old.updated_at + interval '1 microsecond', clock_timestamp());
    return new;
end
$$;
create trigger rosreestr_users_switched before update of is_active on rosreestr_users
    for each row execute function end_standby_by_activation();
