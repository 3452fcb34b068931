"""The simulator, driven over real HTTP as a process of its own."""
