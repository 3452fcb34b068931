-- What the database's server is like.

-- name: read_safety
-- Whether it keeps what it acknowledged.
select
    current_setting('fsync') as fsync,
    current_setting('full_page_writes') as full_page_writes,
    pg_is_in_recovery() as is_standby;

-- name: read_replication
-- Whether anybody copies it, connected now or by a slot, and whether a commit waits for them.
select
    current_setting('synchronous_standby_names') as synchronous_standby_names,
    (select count(*) from pg_stat_replication)
        + (select count(*) from pg_replication_slots where slot_type = 'physical' and not active) as replicas;
