"""Half-states: what contradicts itself in a queue, and how it is mended by hand."""
