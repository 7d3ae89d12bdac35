//! What all clients of a network share.

pub(crate) mod address;
