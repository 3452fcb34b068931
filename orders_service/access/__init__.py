"""Who calls, and who did what: access tokens, and the audit."""
