"""One worker at work: how a job is fetched, held, run and settled."""
