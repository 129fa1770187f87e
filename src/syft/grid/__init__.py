"""Networks of workers that are searched as one."""
