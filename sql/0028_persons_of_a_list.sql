-- before-deploy
-- As whom orders stand that an account's list at the portal shows. The system before this one knew accounts, not persons: the takeover writes
-- old-system:ACCOUNT, which is whoever that account turned out to be since. An instant.

create function persons_of_list(person_oid text, account_id integer) returns text[] language sql stable as $$
    select array(
        select $1 where $1 is not null
        union select 'old-system:' || $2 where $2 is not null
        union select 'old-system:' || u.id from rosreestr_users u where u.person_oid = $1
        union select u.person_oid from rosreestr_users u where u.id = $2 and u.person_oid is not null and starts_with($1, 'old-system:'))
$$;
