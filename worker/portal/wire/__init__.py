"""One HTTP exchange with the portal: paced, bounded, and what its answer is before anybody reads its fields."""
