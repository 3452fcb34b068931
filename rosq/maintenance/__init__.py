"""What any worker does for the queue from time to time: promote, recover, forget."""
