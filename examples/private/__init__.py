"""Programs whose results are differentially private."""
