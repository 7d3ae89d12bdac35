//! The command line: arguments, what is loaded, what is printed, exit codes.

mod arguments;
mod commands;
mod execute;
mod grants;
mod last;
mod load;
mod man;
mod new;
mod print;
mod refused;
mod runtime;
mod told;

pub(crate) use arguments::{Cli, Common, LogFormat};
pub(crate) use commands::run;
pub(crate) use last::finish;
pub(crate) use refused::{Parsed, manner, parse};
