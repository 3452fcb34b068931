"""The subcommands of `rosq`."""
