//! Encrypted manifests: which files, and which namespaces they may name.

use std::path::{Path, PathBuf};

use super::super::at::{At, Shown};
use super::super::raw::RawManifests;
use super::super::{Location, ManifestSet, Source};
use super::Checker;
use super::source::by_inner_name;
use crate::base::artifact::Conflict;
use crate::reflect::glob::matches;

/// What Kubernetes takes as the value of a label.
const LONGEST_LABEL: usize = 63;

impl Checker<'_> {
    pub(super) fn manifests(&mut self, written: At<RawManifests>) -> Option<ManifestSet> {
        let at = self.at(&written);
        let RawManifests {
            name,
            sops,
            sealed,
            namespaces,
            prune,
            adopt,
            recreate,
            force,
            allow_unauthenticated,
        } = written.value;
        if allow_unauthenticated && sops.is_none() {
            self.problem(
                at.clone(),
                "`allowUnauthenticated` is of use only beside `sops`",
                "remove it",
            );
        }
        let name = self.set_name(name, prune, &at);
        let given = [
            sops.map(|pattern| (pattern, true)),
            sealed.map(|pattern| (pattern, false)),
        ];
        let given = given.into_iter().flatten().map(Some).collect();
        let namespaces = namespaces.iter();
        let namespaces = namespaces.map(|namespace| self.namespace(namespace));
        let namespaces = namespaces.collect();
        let (pattern, is_sops) = self.only(&at, "`manifests`", "sops, sealed", given)?;
        let files = self.found(&pattern).into_iter().map(|file| {
            if is_sops {
                Source::Sops {
                    format: by_inner_name(&file),
                    file,
                    allow_unauthenticated,
                    commit: None,
                }
            } else {
                Source::SealedManifests { file }
            }
        });
        Some(ManifestSet {
            name,
            files: files.collect(),
            namespaces,
            prune,
            conflict: Conflict {
                adopt,
                recreate,
                force,
            },
            at,
        })
    }

    fn set_name(
        &mut self,
        written: Option<At<Shown>>,
        prune: bool,
        at: &Location,
    ) -> Option<String> {
        let Some(written) = written else {
            if prune {
                self.problem(
                    at.clone(),
                    "`prune` needs a `name`, by which it knows the Secrets that came from here",
                    "add `name: …`; another set of this configuration may not have the same",
                );
            }
            return None;
        };
        let name = self.object_name(&written, "the name of the manifests");
        if name.len() > LONGEST_LABEL {
            let at = self.at(&written);
            self.problem(
                at,
                format!("`{name}` is too long for a label"),
                "use at most 63 characters",
            );
        }
        Some(name)
    }

    /// The files of a pattern; `*` may stand in the last part only, so that what is read can be
    /// seen from the folder.
    fn found(&mut self, written: &At<Shown>) -> Vec<PathBuf> {
        let path = self.path(written);
        let at = self.at(written);
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        if folder.to_string_lossy().contains('*') {
            self.problem(
                at,
                "`*` may stand in a file's name only",
                "write one entry for each folder",
            );
            return Vec::new();
        }
        if !name.contains('*') {
            return vec![path];
        }
        let files = self.matching(&folder, &name, &at);
        if files.as_ref().is_some_and(Vec::is_empty) {
            self.problem(
                at,
                format!("no file is called {}", path.display()),
                "the path starts at this configuration's folder; name files that are there, or \
                 remove this entry",
            );
        }
        files.unwrap_or_default()
    }

    /// The files of a folder whose names are of a pattern; nothing when it cannot be listed, which
    /// is a problem.
    fn matching(&mut self, folder: &Path, pattern: &str, at: &Location) -> Option<Vec<PathBuf>> {
        // A configuration that is named without its folder lies in the working folder.
        let listed = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        let entries = match (self.outside.list)(listed) {
            Ok(entries) => entries.unwrap_or_default(),
            Err(error) => {
                self.problem(
                    at.clone(),
                    format!("folder {} cannot be read: {error}", listed.display()),
                    "the path starts at this configuration's folder",
                );
                return None;
            }
        };
        let names = entries.iter().filter_map(|entry| entry.file_name());
        let found = names.filter(|name| matches(pattern, &name.to_string_lossy(), None));
        Some(found.map(|name| folder.join(name)).collect())
    }
}
