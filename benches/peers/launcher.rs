//! Measures one process: wall time from before the spawn to its end, peak memory as the kernel
//! counted it for that child.
//!
//! This program starts itself again with `--measure` for each sample, because the kernel counts a
//! child's peak from the moment of its fork: a child of a big process would start with the big
//! one's memory. The launcher does nothing but spawn and `wait4`, so what is below its own few MiB
//! reads as those.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

const FLAG: &str = "--measure";

/// One run of one process.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// From before the spawn to after the end.
    pub(crate) wall: Duration,
    /// The most resident memory it had, in bytes.
    pub(crate) peak: u64,
}

/// A process to measure.
pub(crate) struct Contender {
    /// Its name in the table.
    pub(crate) name: String,
    /// What is run, in which folder; the environment is empty.
    pub(crate) program: String,
    /// Its arguments.
    pub(crate) args: Vec<String>,
}

impl Contender {
    /// Runs it once in `folder`; panics with what it said when it fails.
    pub(crate) fn sample(&self, folder: &Path) -> Sample {
        let mut launcher =
            Command::new(std::env::current_exe().expect("this program knows where it is"));
        launcher
            .arg(FLAG)
            .arg(&self.program)
            .args(&self.args)
            .current_dir(folder)
            .env_clear()
            .env("HOME", folder);
        let output = launcher.output().expect("this program can be started");
        let text = String::from_utf8_lossy(&output.stdout);
        let mut numbers = text.split_whitespace().map_while(|word| word.parse().ok());
        match (output.status.success(), numbers.next(), numbers.next()) {
            (true, Some(wall), Some(peak)) => Sample {
                wall: Duration::from_nanos(wall),
                peak,
            },
            _ => panic!(
                "{} failed:\n{}",
                self.name,
                String::from_utf8_lossy(&output.stderr)
            ),
        }
    }
}

/// Whether this process is a launcher.
pub(crate) fn is_asked(args: &[String]) -> bool {
    args.first().is_some_and(|arg| arg == FLAG)
}

/// Runs the rest of the arguments as a command and prints its nanoseconds and bytes.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let [_, program, args @ ..] = args else {
        return ExitCode::FAILURE;
    };
    let mut command = Command::new(OsStr::new(program));
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let start = Instant::now();
    let used = command.spawn().and_then(|mut child| child.wait4());
    let wall = start.elapsed().as_nanos();
    match used {
        Ok(used) if used.status.success() => {
            drop(writeln!(std::io::stdout(), "{wall} {}", used.rusage.maxrss));
            ExitCode::SUCCESS
        }
        Ok(used) => failed(&used.status.to_string()),
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(why: &str) -> ExitCode {
    drop(writeln!(std::io::stderr(), "{why}"));
    ExitCode::FAILURE
}
