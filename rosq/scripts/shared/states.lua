-- The states of a job that there are; rosq/job.py has them too.
local STATES = { waiting = true, active = true, delayed = true, completed = true, failed = true, cancelled = true,
  forgotten = true }
