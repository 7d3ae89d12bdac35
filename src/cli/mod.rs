//! The command line: arguments, what is loaded, what is printed, exit codes.

mod arguments;
mod command;
mod command_line;
mod errors;
mod last_line;
mod load;
mod print;
mod refused_arguments;
mod runtime;
mod setup;

pub(crate) use arguments::{Common, LogFormat};
pub(crate) use command::run;
pub(crate) use command_line::Cli;
pub(crate) use last_line::finish;
pub(crate) use refused_arguments::{Parsed, manner, parse};
