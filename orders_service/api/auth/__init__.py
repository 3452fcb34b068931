"""Who may do what: asked before each call, by whatever way it came."""
