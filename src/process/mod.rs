//! The limits of this process and its output: deadlines, shutdown, memory, logs, the terminal.

pub mod hardening;
pub mod logging;
pub mod memory;
pub mod progress;
pub mod records;
pub mod shutdown;
pub mod stderr;
pub mod time_limit;
