-- What was applied to this database.

-- name: find_table
-- Whether anything was ever applied here.
select to_regclass('schema_migrations')::text as schema_migrations;

-- name: ensure_table
-- Where the applied files are noted.
create table if not exists schema_migrations (
    version     integer primary key,
    name        text not null,
    sha256      text not null,
    applied_at  timestamptz not null default clock_timestamp()
);

-- name: list_applied
-- Every applied file, in order.
select version, name, sha256 from schema_migrations order by version;

-- name: record
-- Note that a file was applied.
insert into schema_migrations (version, name, sha256) values (%(version)s, %(name)s, %(sha256)s);

-- name: try_lock
-- One migration at a time; the lock ends with the session.
select pg_try_advisory_lock(%(key)s::bigint) as is_locked;

-- name: read_rights
-- Where tables would be made, and whether they may.
select
    current_schema() as schema,
    coalesce(has_schema_privilege(current_schema(), 'create'), false) as may_create,
    current_setting('search_path') as search_path;

-- name: list_holders
-- The oldest transactions of others in this database.
select pid, application_name, extract(epoch from clock_timestamp() - xact_start)::double precision as age_s
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
order by xact_start
limit 3;
