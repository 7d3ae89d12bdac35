//! Everything that is shown on real servers.
