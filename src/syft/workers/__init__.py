"""Workers: the object store, what a message does to it, and the worker that lives in this process."""
