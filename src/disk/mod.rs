//! Files of other programs, read with care: regular files only, capped, never waited for.

mod read;

pub use read::{DiskError, read_small};
