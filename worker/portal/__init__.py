"""The client of the Rosreestr portal."""
