//! A program that has the fields of a delivery in its environment: it is found, prepared, and then
//! replaces this process or is started beside it.
//!
//! It gets the signal mask and the ignored signals that we were started with. The standard library
//! would empty the mask, so it is not used to start the program. Only SIGPIPE always gets the
//! kernel's default: the library ignored it before we could see its former state.

use std::collections::BTreeMap;
use std::ffi::{CString, NulError, OsStr, OsString};
use std::fmt::Display;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::execve;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::base::failure::{Class, Failure};
use crate::base::material::{SECRET_VARIABLES, SecretBytes};
use crate::process::hardening::soft_core_limit;

/// The fields of a delivery.
pub(super) type Environment = Vec<(String, SecretBytes)>;

/// A command, and where its program is.
pub struct Program {
    path: PathBuf,
    command: Vec<OsString>,
}

impl Program {
    /// Finds the program of a command in these folders of `PATH`, if the command is not a path
    /// itself.
    pub fn find(command: &[OsString], path: &OsStr) -> Result<Self, Failure> {
        let Some(program) = command.first() else {
            return Err(
                Failure::new(Class::Usage, "no program was named").hint("write it after `--`")
            );
        };
        let places: Vec<PathBuf> = match is_path(program) {
            true => vec![program.into()],
            // An empty entry of PATH means the current folder.
            false => std::env::split_paths(path)
                .map(|folder| Path::new(".").join(folder).join(program))
                .collect(),
        };
        match places.into_iter().find(|place| runs(place)) {
            Some(path) => Ok(Self {
                path,
                command: command.to_vec(),
            }),
            None => Err(cannot_run(program, "there is no such program")),
        }
    }

    /// The same, but a delivered `PATH` is searched before our own.
    pub(super) fn find_with(
        command: &[OsString],
        environment: &Environment,
        path: &OsStr,
    ) -> Result<Self, Failure> {
        let delivered = environment.iter().find(|(name, _)| name == "PATH");
        let found = delivered.map(|(_, value)| {
            let folders = OsStr::from_bytes(value.expose());
            Self::find(command, folders)
        });
        match found {
            Some(Ok(found)) => Ok(found),
            Some(Err(_)) | None => Self::find(command, path),
        }
    }

    /// Replaces this process; returns only if that fails. The soft limit of core files is set back
    /// to its value before ours: we must not forbid the program a core file.
    pub fn replace_us(&self, environment: &Environment, core_limit: Option<u64>) -> Failure {
        let ready = match self.ready(environment) {
            Ok(ready) => ready,
            Err(failure) => return failure,
        };
        let _ = soft_core_limit(core_limit);
        let Err(error) = execve(&ready.path, &ready.arguments, &ready.environment);
        self.cannot_run(error.desc())
    }

    /// Starts the program as our child.
    pub(super) fn start(
        &self,
        environment: &Environment,
        core_limit: Option<u64>,
    ) -> Result<Pid, Failure> {
        let ready = self.ready(environment)?;
        let started = attributes().and_then(|attributes| {
            let files = PosixSpawnFileActions::init()?;
            posix_spawn(
                ready.path.as_c_str(),
                &files,
                &attributes,
                &ready.arguments,
                &ready.environment,
            )
        });
        let pid = started.map_err(|error| self.cannot_run(error.desc()))?;
        let pid = Pid::from_raw(pid.as_raw()).ok_or_else(|| self.cannot_run("it has no id"))?;
        let limit = Rlimit {
            current: core_limit,
            maximum: rustix::process::getrlimit(Resource::Core).maximum,
        };
        // The program may have ended already.
        let _ = prlimit(Some(pid), Resource::Core, limit);
        Ok(pid)
    }

    fn ready(&self, environment: &Environment) -> Result<Ready, Failure> {
        let nul = |_: NulError| self.cannot_run("a zero byte is in what it is given");
        let c_string = |text: &OsStr| CString::new(text.as_bytes()).map_err(nul);
        let arguments = self.command.iter().map(|part| c_string(part));
        let variables = variables(environment)
            .into_iter()
            .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()));
        Ok(Ready {
            path: c_string(self.path.as_os_str())?,
            arguments: arguments.collect::<Result<_, _>>()?,
            environment: variables.collect::<Result<_, _>>().map_err(nul)?,
        })
    }

    fn cannot_run(&self, why: impl Display) -> Failure {
        let program = self.command.first().map_or(OsStr::new(""), |name| name);
        cannot_run(program, why)
    }
}

/// The arguments for the kernel.
struct Ready {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

/// Our environment together with the delivery's, without those of our variables that hold a secret.
fn variables(environment: &Environment) -> BTreeMap<OsString, OsString> {
    let mut variables: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    for name in SECRET_VARIABLES {
        variables.remove(OsStr::new(name));
    }
    for (name, value) in environment {
        variables.insert(name.into(), OsString::from_vec(value.expose().to_vec()));
    }
    variables
}

fn attributes() -> nix::Result<PosixSpawnAttr> {
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_sigdefault(&SigSet::from_iter([Signal::SIGPIPE]))?;
    attributes.set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
    Ok(attributes)
}

/// Whether the program is given as a path.
pub fn is_path(program: &OsStr) -> bool {
    program.as_bytes().contains(&b'/')
}

fn runs(file: &Path) -> bool {
    std::fs::metadata(file)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn cannot_run(program: &OsStr, why: impl Display) -> Failure {
    let what = format!("cannot run {}: {why}", program.to_string_lossy());
    Failure::new(Class::Usage, what).hint("give the path of a program, or one that PATH finds")
}
