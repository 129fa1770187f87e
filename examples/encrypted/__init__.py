"""Programs that compute on encrypted data."""
