"""One job: what is known of it, what happened to it, and why it is not running."""
