//! How much one file may hold.

/// Most recipients of one file: each is tried with each identity.
pub(super) const MAX_RECIPIENTS: usize = 256;
/// Most bytes of all encrypted keys of one file.
pub(super) const MAX_KEY_BYTES: usize = 512 * 1024;
/// Most clear leaves that are listed one by one.
pub const MAX_CLEAR: usize = 10_000;
