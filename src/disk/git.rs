//! Earlier states of a file, read from the Git repository that it lies in, by the `git` program.

use std::io;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokio::time::Instant;

use super::{DOCUMENT_LIMIT, NoAnswer, call_at};
use crate::base::failure::{Class, Fault};
use crate::base::material::{SECRET_VARIABLES, SecretBytes};

/// Most commits of one file that are looked through.
pub const COMMITS: usize = 200;

/// Why an earlier state was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// There is no program of this name.
    #[error("{} is read from a commit, and there is no `git` program", .0.display())]
    NoProgram(PathBuf),
    /// The program was found but did not run.
    #[error("`git` cannot be run: {0}")]
    NotRun(String),
    /// The program refused; its own words.
    #[error("{} cannot be read from Git: {said}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The first line of what it said.
        said: String,
    },
    /// The file has more bytes than a document may have.
    #[error("{} is larger than {} MiB in Git", .0.display(), DOCUMENT_LIMIT >> 20)]
    TooLarge(PathBuf),
    /// The program did not end in time.
    #[error("`git` did not answer in {}", .0.display())]
    NoAnswer(PathBuf),
}

impl Fault for GitError {
    fn class(&self) -> Class {
        match self {
            Self::NoProgram(_) | Self::NotRun(_) | Self::TooLarge(_) => Class::Configuration,
            Self::Refused { .. } => Class::Missing,
            Self::NoAnswer(_) => Class::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoProgram(_) | Self::NotRun(_) => {
                "install git, or run this where the repository is checked out"
            }
            Self::Refused { .. } => {
                "check that the file lies in a Git repository with its whole history \
                 (`git fetch --unshallow`)"
            }
            Self::TooLarge(_) => "name a smaller file",
            Self::NoAnswer(_) => "look after the volume there",
        };
        Some(hint.to_owned())
    }

    fn names_source(&self) -> bool {
        match self {
            Self::NoProgram(_) | Self::Refused { .. } | Self::TooLarge(_) | Self::NoAnswer(_) => {
                true
            }
            Self::NotRun(_) => false,
        }
    }
}

impl From<NoAnswer> for GitError {
    fn from(NoAnswer(path): NoAnswer) -> Self {
        Self::NoAnswer(path)
    }
}

/// The commits that changed a file, the newest first.
pub async fn commits(file: &Path, end: Instant) -> Result<Vec<String>, GitError> {
    let count = format!("-n{COMMITS}");
    let arguments = ["log", &count, "--format=%H", "--", &name_in_folder(file)].map(str::to_owned);
    let said = git(file, arguments.to_vec(), end).await?;
    let lines = said.expose_str().unwrap_or_default().lines();
    Ok(lines.map(str::to_owned).collect())
}

/// The full name of a commit.
pub async fn commit(file: &Path, name: &str, end: Instant) -> Result<String, GitError> {
    let name = format!("{name}^{{commit}}");
    let arguments = [
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &name,
    ];
    let said = git(file, arguments.map(str::to_owned).to_vec(), end).await?;
    Ok(said.expose_str().unwrap_or_default().trim().to_owned())
}

/// The file as a commit has it.
pub async fn read(file: &Path, commit: &str, end: Instant) -> Result<SecretBytes, GitError> {
    if commit.len() < 7 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(GitError::Refused {
            path: file.to_owned(),
            said: format!("`{}` is no commit", commit.escape_debug()),
        });
    }
    let object = format!("{commit}:{}", name_in_folder(file));
    let arguments = ["cat-file", "blob", &object].map(str::to_owned);
    git(file, arguments.to_vec(), end).await
}

/// The file as Git names it from within its folder.
fn name_in_folder(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    format!("./{}", name.to_string_lossy())
}

async fn git(file: &Path, arguments: Vec<String>, end: Instant) -> Result<SecretBytes, GitError> {
    let path = file.to_owned();
    call_at(file, end, move |_| run(&path, &arguments)).await?
}

fn run(file: &Path, arguments: &[String]) -> Result<SecretBytes, GitError> {
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    let mut command = Command::new("git");
    command
        .current_dir(folder.unwrap_or(Path::new(".")))
        .args(arguments)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Inside a hook of Git, these variables would name another repository.
    let repository = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"];
    for name in SECRET_VARIABLES.iter().chain(&repository) {
        command.env_remove(name);
    }
    let mut running = command.spawn().map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            GitError::NoProgram(file.to_owned())
        } else {
            GitError::NotRun(error.to_string())
        }
    })?;
    let not_run = |error: io::Error| GitError::NotRun(error.to_string());
    let mut text = Vec::new();
    if let Some(out) = running.stdout.take() {
        out.take(DOCUMENT_LIMIT + 1)
            .read_to_end(&mut text)
            .map_err(not_run)?;
    }
    let mut said = String::new();
    if let Some(errors) = running.stderr.take() {
        // Output that is no text is ignored.
        let _ = errors.take(4096).read_to_string(&mut said);
    }
    let status = running.wait().map_err(not_run)?;
    if u64::try_from(text.len()).is_ok_and(|size| size > DOCUMENT_LIMIT) {
        return Err(GitError::TooLarge(file.to_owned()));
    }
    match status.success() {
        true => Ok(text.into()),
        false => Err(GitError::Refused {
            path: file.to_owned(),
            said: first_line(&said),
        }),
    }
}

fn first_line(said: &str) -> String {
    let line = said.lines().find(|line| !line.trim().is_empty());
    let line = line.map_or("it has no such commit", |line| {
        line.trim_start_matches("fatal: ")
    });
    line.to_owned()
}
