-- before-deploy
-- In which of several roles an account acts at the portal: its oid there, or its name. NULL: the only one, or that of an imported session. An instant.

alter table rosreestr_users add column portal_role text check (length(portal_role) between 1 and 200);

-- Who says in which role looked at the account, as who gives it a secret.
drop trigger rosreestr_users_secret_set on rosreestr_users;
create trigger rosreestr_users_secret_set before update of password_encrypted, session_encrypted, totp_encrypted, portal_role on rosreestr_users
    for each row
    when (new.password_encrypted is distinct from old.password_encrypted and new.password_encrypted is not null
          or new.session_encrypted is distinct from old.session_encrypted and new.session_encrypted is not null
          or new.totp_encrypted is distinct from old.totp_encrypted and new.totp_encrypted is not null
          or new.portal_role is distinct from old.portal_role)
    execute function end_standby_by_secret();
