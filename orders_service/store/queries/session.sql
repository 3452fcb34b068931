-- What a session must be like, whatever server, role, database or pooler stands behind it.

-- name: pin
-- Set what this server knows of these, for the session; answers each as the server spells it.
select name, set_config(name, value, false) as value
from unnest(%(names)s::text[], %(values)s::text[]) as wanted (name, value)
where current_setting(name, true) is not null;

-- name: begin
-- Open a transaction, and say what its session and server are like: one round trip for both.
begin isolation level read committed;
select
    pg_is_in_recovery() as is_standby,
    current_setting('transaction_read_only') = 'on' as is_read_only,
    current_setting('server_encoding') as server_encoding,
    current_setting('fsync') as fsync,
    current_setting('full_page_writes') as full_page_writes,
    current_setting('session_replication_role') as session_replication_role,
    current_setting('synchronous_commit') as synchronous_commit,
    current_setting('statement_timeout') as statement_timeout,
    current_setting('lock_timeout') as lock_timeout,
    current_setting('idle_in_transaction_session_timeout') as idle_in_transaction_session_timeout,
    current_setting('idle_session_timeout', true) as idle_session_timeout,
    current_setting('transaction_timeout', true) as transaction_timeout,
    current_setting('default_transaction_isolation') as default_transaction_isolation,
    current_setting('default_transaction_deferrable') as default_transaction_deferrable,
    current_setting('client_encoding') as client_encoding,
    current_setting('TimeZone') as "TimeZone",
    current_setting('DateStyle') as "DateStyle",
    current_setting('IntervalStyle') as "IntervalStyle",
    current_setting('bytea_output') as bytea_output,
    current_setting('extra_float_digits') as extra_float_digits,
    current_setting('array_nulls') as array_nulls,
    current_setting('standard_conforming_strings') as standard_conforming_strings;
