"""What the portal hands out: an archive that nobody vouches for, and whether it is the extract that was ordered."""
