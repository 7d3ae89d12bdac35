//! Standard error: messages that cannot be written there are dropped and counted. They never stop
//! the work.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Writes a message. A full disk or a pipe without a reader must not stop the work.
pub fn write(message: &[u8]) {
    let mut stream = std::io::stderr().lock();
    let written = stream.write_all(message).and_then(|()| stream.flush());
    if written.is_err() {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// The same for a caller that must not wait, even if the reader does not read.
pub fn write_within(message: Vec<u8>, time_limit: Duration) {
    let (done, written) = mpsc::channel();
    let work = move || {
        write(&message);
        let _ = done.send(());
    };
    if thread::Builder::new().spawn(work).is_ok() {
        let _ = written.recv_timeout(time_limit);
    }
}

/// How many messages were dropped so far.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}
