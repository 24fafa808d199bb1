"""The reconnecting loop, the queue, status, confirmations and the one seam to the network."""
