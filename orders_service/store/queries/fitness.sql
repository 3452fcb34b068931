-- What the database and its server are like.

-- name: list_invalid_indexes
-- Indexes that a failed build left; one that is being built at this moment isn't among them.
select i.indexrelid::regclass::text as name
from pg_index i
join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
where not i.indisvalid and n.nspname = any (current_schemas(false))
  and not exists (select 1 from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)
order by name;

-- name: read_replication
-- Whether anybody copies it, connected now or by a slot, and whether a commit waits for them.
select
    current_setting('synchronous_standby_names') as synchronous_standby_names,
    (select count(*) from pg_stat_replication)
        + (select count(*) from pg_replication_slots where slot_type = 'physical' and not active) as replicas;
