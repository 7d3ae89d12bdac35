//! Plain types that every module may use: secrets, desired and observed state, failures, counters.
//! No input and no output.

pub(crate) mod address;
pub mod artifact;
pub(crate) mod coding;
pub mod counters;
pub mod deletion_brake;
pub mod exit_code;
pub mod failure;
pub mod history;
pub mod line_fold;
pub mod lock;
pub mod material;
pub mod metric;
pub mod observed;
pub mod overlap;
pub mod printable;
pub(crate) mod redact;
pub mod renewal;
pub mod style;
pub(crate) mod wiped;
