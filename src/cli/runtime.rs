//! The runtime of one command, and its end after a signal.

use std::time::Duration;

use keyferry::mode::{self, Ended};
use keyferry::stderr;

use super::arguments::Common;
use super::last::last_line;

/// How long the last line may take where nothing may be waited for any more.
const LAST_WORD: Duration = Duration::from_millis(150);

/// Runs a mode. Where its end does not come in time after a signal, it is ended: with the same last line and exit code.
#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "who should return hangs"
)]
pub(super) fn block_on<T>(common: &Common, future: impl Future<Output = T>) -> T {
    let told = common.clone();
    mode::guard(move |stop| {
        let (line, code) = last_line(&Ended::Signal(stop), &told);
        stderr::write_within(line.into_bytes(), LAST_WORD);
        std::process::exit(code.into())
    });
    to_its_end(future)
}

pub(super) fn to_its_end<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime needs only an epoll descriptor");
    let result = runtime.block_on(keyferry::progress::shown(future));
    // A name that is still being looked up could hold us beyond the deadline.
    runtime.shutdown_background();
    result
}
