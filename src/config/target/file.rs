//! Files and folders that are written.

use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::Location;
use super::super::check::Checker;
use super::super::environment::Root;
use super::super::located::{At, Shown};
use super::Target;
use super::format::{FileFormat, RawFileFormat};
use crate::base::artifact::FileAccess;

/// A file, and how it is written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RawFile {
    /// Where; relative to the folder of this configuration.
    pub path: Option<At<Shown>>,
    /// Format of the file, if its name does not tell.
    pub format: Option<At<RawFileFormat>>,
    /// dotenv: change only our variables in the file that is there.
    pub edit: bool,
    /// json: write numbers and truth values as text.
    pub as_strings: bool,
    /// raw: the field (default: the only one).
    pub field: Option<At<Shown>>,
    /// template: the template's file.
    pub template: Option<At<Shown>>,
    /// Mode in quotes (default: "0400"), and with `edit` the mode of the file that is there.
    pub mode: Option<At<Shown>>,
    /// Mode of folders that are created (default: "0700").
    pub dir_mode: Option<At<Shown>>,
    /// Owner by number.
    pub uid: Option<u32>,
    /// Group by number.
    pub gid: Option<u32>,
    /// Create missing folders.
    pub create_dirs: bool,
    /// Refuse a place that is not in memory.
    pub require_tmpfs: bool,
    /// Take over a file of another owner.
    pub adopt: bool,
    /// Write into the file where it cannot be replaced (a bind-mounted file). Readers may see half
    /// of it.
    pub in_place: bool,
}

/// One file.
#[derive(Debug, Clone)]
pub struct FileTarget {
    /// Path, joined with the configuration's folder.
    pub path: PathBuf,
    /// Format of the content.
    pub format: FileFormat,
    /// Modes and owner.
    pub access: FileAccess,
    /// Where it was written.
    pub at: Location,
}

impl Checker<'_> {
    pub(super) fn file(&mut self, written: At<RawFile>) -> Option<Target> {
        let at = self.location(&written);
        let mut raw = written.value;
        let Some(place) = raw.path.take() else {
            self.problem(&at, "`path` is missing here", "add `path: …`");
            return None;
        };
        let path = self.target_path(&place);
        let keep_mode = raw.edit && raw.mode.is_none();
        let format = self.file_format(&mut raw, &place, &path, &at);
        let access = FileAccess {
            mode: self.mode(raw.mode.as_ref(), FileAccess::PRIVATE.mode),
            dir_mode: self.mode(raw.dir_mode.as_ref(), FileAccess::PRIVATE.dir_mode),
            uid: raw.uid,
            gid: raw.gid,
            create_dirs: raw.create_dirs,
            require_tmpfs: raw.require_tmpfs,
            adopt: raw.adopt,
            in_place: raw.in_place,
            keep_mode,
        };
        Some(Target::File(FileTarget {
            path,
            format: format?,
            access,
            at,
        }))
    }
}

/// A folder with one file per field.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RawFiles {
    /// Where; relative to the folder of this configuration.
    pub dir: Option<At<Shown>>,
    /// Mode in quotes (default: "0400").
    pub mode: Option<At<Shown>>,
    /// Mode of folders that are created (default: "0700").
    pub dir_mode: Option<At<Shown>>,
    /// Owner by number.
    pub uid: Option<u32>,
    /// Group by number.
    pub gid: Option<u32>,
    /// Create missing folders.
    pub create_dirs: bool,
    /// Refuse a place that is not in memory.
    pub require_tmpfs: bool,
}

/// A folder with one file per field.
#[derive(Debug, Clone)]
pub struct FileSetTarget {
    /// Path, joined with the configuration's folder.
    pub dir: PathBuf,
    /// Modes and owner.
    pub access: FileAccess,
    /// Where it was written.
    pub at: Location,
}

impl Checker<'_> {
    pub(super) fn files(&mut self, written: At<RawFiles>) -> Option<Target> {
        let at = self.location(&written);
        let RawFiles {
            dir,
            mode,
            dir_mode,
            uid,
            gid,
            create_dirs,
            require_tmpfs,
        } = written.value;
        let Some(place) = dir else {
            self.problem(&at, "`dir` is missing here", "add `dir: …`");
            return None;
        };
        let access = FileAccess {
            mode: self.mode(mode.as_ref(), FileAccess::PRIVATE.mode),
            dir_mode: self.mode(dir_mode.as_ref(), FileAccess::PRIVATE.dir_mode),
            uid,
            gid,
            create_dirs,
            require_tmpfs,
            ..FileAccess::PRIVATE
        };
        Some(Target::Files(FileSetTarget {
            dir: self.target_path(&place),
            access,
            at,
        }))
    }

    /// Path of a target; with `--root`, it must lie in that folder.
    pub(in crate::config) fn target_path(&mut self, written: &At<Shown>) -> PathBuf {
        let path = self.path(written);
        if let Some(root) = self.outside.root
            && !is_beneath(&path, root)
        {
            self.problem(
                written,
                format!(
                    "unsafe target path {:?}: it leaves the root folder",
                    path.display().to_string()
                ),
                "move it beneath --root, or run without --root",
            );
        }
        path
    }

    fn mode(&mut self, written: Option<&At<Shown>>, usual: u32) -> u32 {
        let Some(written) = written else { return usual };
        match u32::from_str_radix(&written.value, 8) {
            Ok(mode) if mode <= 0o777 && mode & 0o002 == 0 => mode,
            Ok(_) | Err(_) => {
                self.problem(
                    written,
                    format!("`{}` is no mode for a secret", &*written.value),
                    "write it as in \"0440\"; it may not be writable by others",
                );
                usual
            }
        }
    }
}

/// Whether a path lies beneath a root, judged by spelling: links are not followed.
fn is_beneath(path: &Path, root: Root<'_>) -> bool {
    let whole = |path: &Path| normal(&root.here.join(path));
    whole(path).starts_with(whole(root.path))
}

/// A path without `.`, and without `..` behind a name.
pub(in crate::config) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(out.components().next_back(), Some(Component::Normal(_))) =>
            {
                out.pop();
            }
            Component::ParentDir
            | Component::Prefix(_)
            | Component::RootDir
            | Component::Normal(_) => out.push(part),
        }
    }
    out
}
