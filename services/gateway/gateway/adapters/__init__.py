"""What the gateway reaches outside of itself: PostgreSQL, through the run engine."""
