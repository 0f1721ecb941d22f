"""The operations of `/agents/v1`, by what they are about."""
