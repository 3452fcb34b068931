"""Accepting orders: every rule is checked first, then all are stored or none. Knows neither queue nor portal."""
