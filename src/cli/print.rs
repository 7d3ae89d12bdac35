//! What a command prints on standard output.

use std::io::{IsTerminal, Write};

use keyferry::base::failure::{Class, Failure};
use keyferry::mode::Ended;
use keyferry::pass::outcome::Failed;

pub(super) fn print(text: &str) -> Ended {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Ok(()) => Ended::Well(String::new()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ended::Well(String::new()),
        Err(error) => Ended::Failed(Failed::of_the_run(
            Failure::new(
                Class::Sink,
                format!("cannot write to standard output: {error}"),
            )
            .hint("redirect it elsewhere"),
        )),
    }
}

/// Prints the text, or reports why there is none.
pub(super) fn printed(text: Result<String, Failure>) -> Ended {
    match text {
        Ok(text) => print(&text),
        Err(failure) => Ended::Failed(Failed::of_the_run(failure)),
    }
}

pub(super) fn then(printed: Ended, ended: Ended) -> Ended {
    match printed {
        Ended::Failed(failed) => Ended::Failed(failed),
        Ended::Well(_) | Ended::Differs(_) | Ended::Signal(_) | Ended::Program(_) => ended,
    }
}

/// Whether both streams end at a terminal.
pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal() && std::io::stderr().is_terminal()
}
