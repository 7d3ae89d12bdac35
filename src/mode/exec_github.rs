//! `exec --github-env`: makes the fields of a delivery variables, and on request outputs, for the
//! later steps of a GitHub Actions job.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Stat, fstat};

use super::Ended;
use super::child_program::Environment;
use crate::base::failure::{Class, Failure};
use crate::base::printable;
use crate::base::wiped::WipedBytes;
use crate::pass::outcome::Failed;
use crate::process::time_limit::any_number;

const OF_THE_RUNNER: &str = "it is the file that the runner makes for each step";

/// The files of the step that we run in.
pub struct GithubStep {
    files: Vec<(PathBuf, File)>,
    /// Whether a runner reads what we print, and hides these values in its log.
    masks: bool,
}

impl GithubStep {
    /// Opens the files that the runner made for this step; `outputs` opens the file of outputs too.
    pub fn open(
        variable: impl Fn(&str) -> Option<OsString>,
        outputs: bool,
    ) -> Result<Self, Failure> {
        let names = ["GITHUB_ENV"].into_iter();
        let names = names.chain(outputs.then_some("GITHUB_OUTPUT"));
        let files = names.map(|name| {
            let path = variable(name).filter(|path| !path.is_empty());
            let path = path.ok_or_else(|| {
                let what = format!("{name} is not set: this is no step of GitHub Actions");
                Failure::new(Class::Usage, what)
                    .hint("elsewhere let keyferry start the program: keyferry exec -- CMD")
            })?;
            let path = PathBuf::from(path);
            // The runner made the file: nobody would read another one.
            let file = OpenOptions::new().read(true).append(true).open(&path);
            let what = match file.and_then(|file| Ok((file.metadata()?, file))) {
                // A terminal, a pipe or the file of our own output would show the values.
                Ok((seen, _)) if !seen.is_file() => {
                    format!("{name} names {}, which is no file", path.display())
                }
                Ok((seen, _)) if is_printed(&seen) => {
                    format!("{name} names {}, which is our own output", path.display())
                }
                Ok((_, file)) => return Ok((path, file)),
                Err(error) => format!("{name} names {}: {error}", path.display()),
            };
            Err(Failure::new(Class::Usage, what).hint(OF_THE_RUNNER))
        });
        Ok(Self {
            files: files.collect::<Result<_, Failure>>()?,
            masks: variable("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
        })
    }

    /// Hides the values in the runner's log first, then writes them.
    pub fn give(self, environment: &Environment) -> Ended {
        match self.given(environment) {
            Ok(()) => {
                let names = environment.iter().map(|(name, _)| name.as_str());
                Ended::Well(format!("for the next steps: {}", printable::names(names)))
            }
            Err(failure) => Ended::Failed(Failed::of_the_run(failure)),
        }
    }

    fn given(self, environment: &Environment) -> Result<(), Failure> {
        let mut values = Vec::with_capacity(environment.len());
        for (name, value) in environment {
            values.push((name.as_str(), checked(name, value.expose())?));
        }
        if self.masks {
            let masks = masks(&values);
            let mut out = io::stdout().lock();
            let hidden = out.write_all(&masks).and_then(|()| out.flush());
            hidden.map_err(|error| {
                let what = format!("cannot tell the runner what to hide: {error}");
                Failure::new(Class::Sink, what)
                    .hint("leave standard output to the runner; nothing was written")
            })?;
        }
        for (path, mut file) in self.files {
            let written = append(&mut file, &values);
            written.map_err(|error| cannot_write(&path, &error))?;
        }
        Ok(())
    }
}

/// Whether this is the file behind our standard output or standard error.
fn is_printed(file: &Metadata) -> bool {
    let same = |stat: Stat| (stat.st_dev, stat.st_ino) == (file.dev(), file.ino());
    fstat(io::stdout()).is_ok_and(same) || fstat(io::stderr()).is_ok_and(same)
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let what = format!("cannot write to {}: {error}", path.display());
    Failure::new(Class::Sink, what).hint(OF_THE_RUNNER)
}

/// Refuses what the runner would not accept, before anything is written.
fn checked<'v>(name: &str, value: &'v [u8]) -> Result<&'v str, Failure> {
    let quoted = printable::quoted(name);
    let of_the_runner = ["GITHUB_", "RUNNER_"];
    // The runner always drops this name without a failure.
    if name.eq_ignore_ascii_case("NODE_OPTIONS")
        || of_the_runner.iter().any(|start| name.starts_with(start))
    {
        let what = format!("the variable {quoted} belongs to GitHub's runner");
        return Err(Failure::new(Class::Configuration, what).hint("rename the field: `rename`"));
    }
    std::str::from_utf8(value).map_err(|_| {
        let what = format!("the field {quoted} is no text, which the runner needs");
        Failure::new(Class::Refused, what).hint("deliver it as base64: `encoding: base64`")
    })
}

/// A command for each line of each value.
fn masks(values: &[(&str, &str)]) -> WipedBytes {
    let mut out = WipedBytes::default();
    for (_, value) in values {
        let lines = value.split(['\n', '\r']);
        for line in lines.filter(|line| !line.is_empty()) {
            out.text("::add-mask::");
            for character in line.chars() {
                match character {
                    '%' => out.text("%25"),
                    other => out.char(other),
                }
            }
            out.text("\n");
        }
    }
    out
}

fn append(file: &mut File, values: &[(&str, &str)]) -> io::Result<()> {
    let mut text = WipedBytes::default();
    if !ends_with_a_line(file)? {
        text.text("\n");
    }
    for (name, value) in values {
        let end = delimiter(value);
        for part in [name, "<<", &end, "\n", value, "\n", &end, "\n"] {
            text.text(part);
        }
    }
    file.write_all(&text)
}

/// If the last line has no end, our first line would become part of it.
fn ends_with_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == [b'\n'])
}

/// A delimiter that cannot occur in the value.
fn delimiter(value: &str) -> String {
    loop {
        let random = format!("keyferry-{:016x}{:016x}", any_number(), any_number());
        if !value.contains(&random) {
            return random;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_value_is_hidden_as_the_runner_reads_commands() {
        let rows = [
            ("one", "::add-mask::one\n"),
            ("", ""),
            ("a\r\n\n50%\n", "::add-mask::a\n::add-mask::50%25\n"),
            ("%0A::warning::", "::add-mask::%250A::warning::\n"),
        ];
        for (value, want) in rows {
            let masks = masks(&[("name", value)]);
            assert_eq!(*masks, *want.as_bytes(), "{value:?}");
        }
    }

    #[test]
    fn what_the_runner_would_not_take_is_refused_by_name() {
        for (name, value, want) in [
            ("GITHUB_TOKEN", "a".as_bytes(), Some(Class::Configuration)),
            ("RUNNER_NAME", b"a", Some(Class::Configuration)),
            ("NODE_OPTIONS", b"a", Some(Class::Configuration)),
            ("node_options", b"a", Some(Class::Configuration)),
            ("NODE_ENV", b"a", None),
            ("KEY", b"\xff", Some(Class::Refused)),
        ] {
            let checked = checked(name, value).map_err(|failure| {
                assert!(failure.what.contains(name), "{}", failure.what);
                failure.class
            });
            assert_eq!(checked.err(), want, "{name}");
        }
    }
}
