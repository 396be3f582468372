"""What the server tells about itself: logs, metrics, and what must never reach either."""
