"""Looking at orders and fetching what came of them; changes nothing."""
