"""The papers: what an extract and the notices in its place hold, and the archives they come in."""
