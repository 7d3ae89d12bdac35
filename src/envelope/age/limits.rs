//! How much one file may hold.

/// Far above honest use: an RSA-4096 stanza has 0.7 KiB, a hybrid one 1.6 KiB.
pub(super) const MAX_HEADER: usize = 64 * 1024;
/// Most recipients of one file.
pub(super) const MAX_STANZAS: usize = 64;
/// Largest payload in bytes, where the caller sets no other limit.
pub(super) const MAX_PAYLOAD: usize = 16 * 1024 * 1024;
