"""What several test modules need: servers to run against, and conversions between wire forms."""
