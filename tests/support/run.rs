//! Starts keyferry itself as a user would: the built binary, an empty environment, a bounded time.

use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::canary::assert_none_in;
use super::group::Group;
use super::process::poll;
use super::signals::start_with_default_signals;

/// A call that is being put together.
pub(crate) struct Run {
    command: Command,
    limit: Duration,
    stdin: Vec<u8>,
}

/// keyferry with no argument and nothing in its environment but `PATH`.
pub(crate) fn keyferry() -> Run {
    Run::of(binary())
}

/// The same as process 1 of a namespace of its own, as in a container. The call is then
/// `unshare`'s, and keyferry its only child: see `Started::first`.
pub(crate) fn keyferry_first() -> Run {
    let flags = ["--pid", "--fork", "--mount-proc", "--kill-child=KILL"];
    let able = Command::new("unshare").args(flags).arg("true").output();
    assert!(
        able.is_ok_and(|output| output.status.success()),
        "a process 1 is made with unshare(1) of util-linux, which needs root: run this test as root"
    );
    Run::of("unshare").args(flags).args(["--".into(), binary()])
}

/// Tests and benches are told where it is; an example is not, and starts none. `KEYFERRY_BIN` names
/// another, such as a release build for tests that start hundreds.
pub(crate) fn binary() -> OsString {
    let built = || option_env!("CARGO_BIN_EXE_keyferry").unwrap_or("keyferry");
    std::env::var_os("KEYFERRY_BIN").unwrap_or_else(|| built().into())
}

impl Run {
    /// Any other program in the same way: a real tool, a shell that reads what we wrote.
    pub(crate) fn of(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        Self {
            command,
            limit: Duration::from_secs(60),
            stdin: Vec::new(),
        }
    }

    /// More arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// One variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Its working folder.
    pub(crate) fn dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// In at most so many MiB of memory of its own: `ulimit` sets what a control group sets for a
    /// container.
    pub(crate) fn within(self, mebibytes: usize) -> Self {
        self.limited(&format!("-d {}", mebibytes << 10))
    }

    /// With a limit of the kernel as `ulimit` sets it.
    pub(crate) fn limited(self, limit: &str) -> Self {
        self.after(&format!("ulimit {limit}"))
    }

    /// In a control group, as in a container.
    pub(crate) fn inside(self, group: &Group) -> Self {
        self.after(&format!("echo $$ > {}", group.door().display()))
    }

    /// After a command of a shell, in the same process.
    fn after(self, first: &str) -> Self {
        let limited = format!("{first} && exec \"$@\"");
        let inner = self.command;
        let mut command = Command::new("sh");
        command
            .args(["-c", &limited, "sh"])
            .arg(inner.get_program())
            .args(inner.get_args());
        command.env_clear();
        command.envs(
            inner
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        if let Some(folder) = inner.get_current_dir() {
            command.current_dir(folder);
        }
        Self { command, ..self }
    }

    /// What it reads from its input (default: nothing).
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// How long it may take before it is killed and the test fails (default: a minute).
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Output {
        self.start().finish()
    }

    /// Starts it, for a test that does something meanwhile.
    pub(crate) fn start(mut self) -> Started {
        start_with_default_signals();
        let pipes = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = pipes
            .spawn()
            .unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        // A thread of its own: a child that never reads must not hold up the test.
        std::thread::spawn(move || drop(stdin.write_all(&self.stdin)));
        let stdout = Collected::from(child.stdout.take().expect("stdout is a pipe"));
        let stderr = Collected::from(child.stderr.take().expect("stderr is a pipe"));
        Started {
            child,
            started,
            limit: self.limit,
            stdout,
            stderr,
        }
    }
}

/// A call that is under way. Dropping it kills it.
pub(crate) struct Started {
    child: Child,
    started: Instant,
    limit: Duration,
    stdout: Collected,
    stderr: Collected,
}

impl Started {
    /// Its process id, for a look into `/proc`.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process id, as seen from here, of a keyferry that is process 1 of its own namespace.
    pub(crate) fn first(&self) -> Pid {
        let [first] = children(self.pid())[..] else {
            panic!("unshare has one child");
        };
        first
    }

    /// Its messages until now.
    pub(crate) fn messages_so_far(&self) -> String {
        String::from_utf8_lossy(&self.stderr.so_far()).into_owned()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("our child takes a signal");
    }

    /// Waits for its end; kills it and panics when the limit is over.
    pub(crate) fn finish(mut self) -> Output {
        let left = self.limit.saturating_sub(self.started.elapsed());
        let status = poll(left, || {
            self.child.try_wait().expect("our child can be asked")
        });
        let elapsed = self.started.elapsed();
        if status.is_none() {
            drop(self.child.kill());
        }
        let [stdout, stderr] = [&mut self.stdout, &mut self.stderr].map(Collected::whole);
        let [out, err] =
            [&stdout, &stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let status =
            status.unwrap_or_else(|| panic!("still running after {:?}\n{out}\n{err}", self.limit));
        let code = status
            .code()
            .or(status.signal().map(|signal| -signal))
            .expect("it exited or was killed");
        Output {
            code,
            stdout: out,
            stderr: unfolded(&err),
            folded: err,
            bytes: stdout,
            elapsed,
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The children of a process.
pub(crate) fn children(pid: u32) -> Vec<Pid> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let list = list.unwrap_or_default();
    let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
    pids.filter_map(Pid::from_raw).collect()
}

/// What a finished call left.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code; minus the signal when one ended it.
    pub(crate) code: i32,
    /// Its output as text.
    pub(crate) stdout: String,
    /// Its messages as text, each on one line.
    pub(crate) stderr: String,
    /// The same as they are shown: folded, so that no line is wide.
    pub(crate) folded: String,
    /// Its output, byte for byte.
    pub(crate) bytes: Vec<u8>,
    /// From start to end.
    pub(crate) elapsed: Duration,
}

impl Output {
    /// The last error with its hint, as one line; else the last line.
    pub(crate) fn last_line(&self) -> String {
        let lines: Vec<&str> = self.stderr.trim_end().lines().collect();
        let last = lines.last().copied().unwrap_or_default();
        let Some(hint) = last.strip_prefix("hint: ") else {
            let is_error = |line: &&&str| line.starts_with("error: ");
            let error = lines.iter().rev().find(is_error);
            let excerpt = last.trim_start().starts_with('|');
            return error
                .filter(|_| excerpt)
                .copied()
                .unwrap_or(last)
                .to_owned();
        };
        let error = lines.iter().rev().find(|line| line.starts_with("error: "));
        format!("{}; {hint}", error.copied().unwrap_or_default())
    }

    /// Panics with all that was printed unless the code is this one; gives itself back for more
    /// questions.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "\n-- stdout\n{}\n-- stderr\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Panics when a planted value appears in what was printed, in any form.
    #[track_caller]
    pub(crate) fn assert_no_canary(&self, canaries: &[&str]) -> &Self {
        assert_none_in("stdout", &self.bytes, canaries);
        assert_none_in("stderr", self.stderr.as_bytes(), canaries);
        self
    }
}

/// Messages on one line each: what goes on below an `error:` or a `hint:` stands under its text.
pub(crate) fn unfolded(text: &str) -> String {
    let mut out = String::new();
    let mut indent = "";
    for line in text.split_inclusive('\n') {
        let begins = [("error: ", "       "), ("hint: ", "      ")];
        let below = (!indent.is_empty())
            .then(|| line.strip_prefix(indent))
            .flatten();
        if let Some(rest) = below.filter(|rest| !rest.starts_with(' ')) {
            out.truncate(out.trim_end_matches('\n').len());
            out.push(' ');
            out.push_str(rest);
            continue;
        }
        let label = begins.iter().find(|(label, _)| line.starts_with(label));
        indent = label.map_or("", |(_, indent)| indent);
        out.push_str(line);
    }
    out
}

/// What a pipe brings, read by a thread of its own, so that who writes is never held up.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Collected {
    fn from(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let read = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut part = [0; 1 << 16];
            loop {
                let length = match pipe.read(&mut part) {
                    Ok(length @ 1..) => length,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Ok(0) | Err(_) => return,
                };
                let mut bytes = read.lock().expect("no reader panics");
                bytes.extend_from_slice(&part[..length]);
            }
        });
        Self {
            bytes,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> Vec<u8> {
        self.bytes.lock().expect("no reader panics").clone()
    }

    /// All of it, once its writers have closed it.
    fn whole(&mut self) -> Vec<u8> {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader only reads");
        }
        self.so_far()
    }
}

/// What a shell that reads this file of variables has in one of them.
pub(crate) fn variable(file: &Path, name: &str) -> String {
    let script = format!("set -a; . \"$0\"; printf %s \"${name}\"");
    Run::of("sh")
        .args(["-c", &script, &file.display().to_string()])
        .run()
        .expect(0)
        .stdout
}
