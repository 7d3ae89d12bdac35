//! The runtime of one command, and its end after a signal.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use keyferry::base::failure::{Class, Failure};
use keyferry::mode::{self, Ended};
use keyferry::pass::outcome::Failed;
use keyferry::process::stderr;

use super::arguments::Common;
use super::last_line::{finish, last_words};

/// Pairs of descriptors that two event loops and their signals need.
const LOOPS: usize = 5;

/// How long the last line may take when nothing else may be waited for.
const LAST_WORD: Duration = Duration::from_millis(150);

/// Runs a mode. If it does not end in time after a signal, the process exits with the same last
/// line and exit code.
#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "who should return hangs"
)]
pub(super) fn block_on<T>(common: &Common, future: impl Future<Output = T>) -> T {
    ask_for_descriptors(common);
    let told = common.clone();
    mode::guard(move |stop| {
        let (text, code) = last_words(&Ended::Signal(stop), &told);
        stderr::write_within(text.into_bytes(), LAST_WORD);
        std::process::exit(code.into())
    });
    to_its_end(common, future)
}

pub(super) fn to_its_end<T>(common: &Common, future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.unwrap_or_else(|error| without_loop(common, &error));
    let result = runtime.block_on(keyferry::process::progress::shown(future));
    // A name that is still being looked up could hold us beyond the deadline.
    runtime.shutdown_background();
    result
}

/// Tests for free descriptors first: the library of the event loops panics without them.
pub(super) fn ask_for_descriptors(common: &Common) {
    let enough: std::io::Result<Vec<_>> = (0..LOOPS).map(|_| UnixStream::pair()).collect();
    if let Err(error) = enough {
        without_loop(common, &error);
    }
}

/// Nothing can be waited for.
#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "nothing was begun, and no mode has an answer without an event loop"
)]
fn without_loop(common: &Common, error: &std::io::Error) -> ! {
    let failure = Failure::new(
        Class::Unavailable,
        format!("an event loop cannot be made: {error}"),
    );
    let failure = failure.hint("allow more open files: `ulimit -n`");
    finish(&Ended::Failed(Failed::of_the_run(failure)), common);
    std::process::exit(Class::Unavailable.exit_code().into())
}
