"""A database that the system before this one made: what would become of it, and taking it over."""
