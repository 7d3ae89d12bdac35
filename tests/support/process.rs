//! Server processes that never outlive the test process, and what every server needs: a folder,
//! free ports, a bounded wait.
//!
//! The crate forbids `unsafe`, so the kernel's "signal me when my parent dies" cannot be asked for.
//! Instead each server has a shell beside it that reads a pipe we hold: when we end, however we
//! end, the pipe closes and the shell kills that one pid.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::tools::cache;

/// One server process that can be paused, ended and started again with the same command.
pub(crate) struct Server {
    name: &'static str,
    log: PathBuf,
    command: Mutex<Command>,
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    watchdog: Child,
}

impl Server {
    /// Starts `command` with its output in `folder/NAME.log`.
    pub(crate) fn start(name: &'static str, mut command: Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).expect("a log file in our own folder");
        let copy = file.try_clone().expect("a file handle can be doubled");
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let running = Running::of(&mut command);
        Self {
            name,
            log,
            command: Mutex::new(command),
            running: Mutex::new(Some(running)),
        }
    }

    /// The process id, for a look into `/proc`.
    pub(crate) fn pid(&self) -> u32 {
        self.running()
            .as_ref()
            .unwrap_or_else(|| panic!("{} is not running", self.name))
            .child
            .id()
    }

    /// Whether the process has not ended, by itself or by us.
    pub(crate) fn alive(&self) -> bool {
        self.running().as_mut().is_some_and(|r| {
            r.child
                .try_wait()
                .expect("our child can be asked")
                .is_none()
        })
    }

    /// SIGSTOP: connections are accepted by the kernel and nobody answers.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT: undoes `stop`.
    pub(crate) fn cont(&self) {
        self.signal(Signal::CONT);
    }

    /// SIGKILL, and waits for the end.
    pub(crate) fn kill(&self) {
        drop(self.running().take());
    }

    /// `kill` when needed, then the same command again.
    pub(crate) fn restart(&self) {
        self.kill();
        let mut command = self.command.lock().unwrap_or_else(PoisonError::into_inner);
        *self.running() = Some(Running::of(&mut command));
    }

    /// What the server has written so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines of the log, for a message.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let skip = log.lines().count().saturating_sub(15);
        log.lines().skip(skip).collect::<Vec<_>>().join("\n")
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed()).expect("a pid is not zero");
        kill_process(pid, signal)
            .unwrap_or_else(|error| panic!("signal to {}: {error}", self.name));
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn of(command: &mut Command) -> Self {
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // Ctrl-C reaches the whole group; the watchdog must be the one that stays for it.
        let script = r#"trap '' INT TERM HUP QUIT; read -r _; kill -9 "$1""#;
        let watchdog = Command::new("sh")
            .args(["-c", script, "watchdog", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh can be started");
        Self { child, watchdog }
    }
}

impl Drop for Running {
    /// The watchdog goes first: after `wait` the pid may belong to somebody else.
    fn drop(&mut self) {
        for process in [&mut self.watchdog, &mut self.child] {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

/// A folder of this test process (mode 0700), removed on drop; what a killed run left is removed by
/// the next one.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A fresh folder with `name` in its name.
    pub(crate) fn new(name: &str) -> Self {
        static SWEPT: Once = Once::new();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let runs = cache().join("run");
        let own = runs.join(std::process::id().to_string());
        SWEPT.call_once(|| sweep(&runs, &own));
        let path = own.join(format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .expect("a folder under target can be made");
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file of ours and gives its path.
    pub(crate) fn write(&self, name: &str, body: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, body).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Statics are never dropped, so a finished process leaves its folder; one whose process is gone
/// can be nobody's.
fn sweep(runs: &Path, own: &Path) {
    drop(fs::remove_dir_all(own));
    for entry in fs::read_dir(runs).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(entry.file_name()).exists() {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Distinct loopback ports that were free a moment ago. Another process may be quicker, hence
/// `first_that_starts`.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let held: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"))
        .collect();
    std::array::from_fn(|i| {
        held[i]
            .local_addr()
            .expect("a bound socket has an address")
            .port()
    })
}

/// Up to five attempts, each on ports of its own; the message of the last one otherwise.
pub(crate) fn first_that_starts<T>(
    name: &str,
    attempt: impl Fn() -> Result<T, String>,
) -> Result<T, String> {
    let mut last = String::new();
    for _ in 0..5 {
        match attempt() {
            Ok(server) => return Ok(server),
            Err(why) => last = why,
        }
    }
    Err(format!(
        "{name} did not start five times; the last time:\n{last}"
    ))
}

/// Asks again and again, at most for `limit`.
pub(crate) fn poll<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if start.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// `poll` until `true`; panics with `what` otherwise. For tests that wait for an effect.
pub(crate) fn eventually(what: &str, limit: Duration, mut ask: impl FnMut() -> bool) {
    assert!(
        poll(limit, || ask().then_some(())).is_some(),
        "not within {limit:?}: {what}"
    );
}

/// Waits until `server` says that it is ready, or says why it never will be.
pub(crate) fn ready(
    server: &Server,
    limit: Duration,
    mut ask: impl FnMut() -> bool,
) -> Result<(), String> {
    let answer = poll(limit, || {
        if server.alive() {
            ask().then_some(true)
        } else {
            Some(false)
        }
    });
    match answer {
        Some(true) if server.alive() => Ok(()),
        Some(_) => Err(format!("{} ended:\n{}", server.name, server.log_tail())),
        None => Err(format!(
            "{} was not ready within {limit:?}:\n{}",
            server.name,
            server.log_tail()
        )),
    }
}

/// An I/O error as text, for the answers of `first_that_starts`.
pub(crate) fn text(error: io::Error) -> String {
    error.to_string()
}

/// A program of this name that ends when its input does.
pub(crate) fn program(folder: &Path, name: &str) -> Child {
    let path = folder.join(name);
    if !path.exists() {
        let cat = ["/usr/bin/cat", "/bin/cat"];
        let cat = cat.into_iter().find(|cat| Path::new(cat).exists());
        fs::copy(cat.expect("cat is installed"), &path).expect("a folder of the test");
    }
    // Another test may have forked while the copy was open for writing.
    let started = poll(Duration::from_secs(20), || {
        Command::new(&path).stdin(Stdio::piped()).spawn().ok()
    });
    started.expect("a copy of cat can be started")
}

/// A name that no other test's process has.
pub(crate) fn name(of: &str) -> String {
    format!("{of}{}", std::process::id())
}
