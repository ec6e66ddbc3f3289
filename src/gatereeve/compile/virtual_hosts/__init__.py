"""Route requests, model policies and servers to virtual hosts."""
