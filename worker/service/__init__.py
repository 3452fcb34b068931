"""The line to the orders service: one channel, what a delivery tells of its order, and what the service may answer."""
