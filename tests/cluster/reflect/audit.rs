//! What the reflector reads and writes, as the API server and a wire in between saw it.
