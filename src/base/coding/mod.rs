//! Codings that many formats share, each with one reader and one writer.

pub(crate) mod base64;
pub(crate) mod hex;
pub(crate) mod number;
pub(crate) mod percent;
