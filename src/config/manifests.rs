//! Encrypted Kubernetes manifests, applied as the Secrets that they describe: which files, and
//! which namespaces they may name.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::located::{At, Shown, exactly_one};
use super::{Location, Source};
use crate::base::artifact::Conflict;
use crate::copy_rules::glob::matches;
use crate::format::document::DocumentFormat;

/// Exactly one kind of encrypted manifests, applied in the namespaces that are allowed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = exactly_one(&["sops", "sealed"])))]
pub struct RawManifests {
    /// Marks the Secrets of these manifests, so that `prune` knows them again.
    pub name: Option<At<Shown>>,
    /// SOPS files with Secrets; `*` stands for any part of a file's name.
    pub sops: Option<At<Shown>>,
    /// SealedSecret files; `*` stands for any part of a file's name.
    pub sealed: Option<At<Shown>>,
    /// Namespaces that manifests may name (default: only our own).
    #[serde(default)]
    pub namespaces: Vec<At<Shown>>,
    /// Delete the Secrets that carry this name and that no manifest describes any more.
    #[serde(default)]
    pub prune: bool,
    /// Take over Secrets that carry no owner mark, or that of another configuration.
    #[serde(default)]
    pub adopt: bool,
    /// Delete and create again where type or immutability forbid an update.
    #[serde(default)]
    pub recreate: bool,
    /// Take fields that another field manager owns, and give up keys of others where the Secret is
    /// made again.
    #[serde(default)]
    pub force: bool,
    /// sops: accept values that its checksum does not protect.
    #[serde(default)]
    pub allow_unauthenticated: bool,
}

/// Encrypted manifests of one kind. Only the configuration allows namespaces: nothing protects the
/// parts of the files beside the values.
#[derive(Debug)]
pub struct ManifestSet {
    /// Mark of the objects, by which `prune` finds them.
    pub name: Option<String>,
    /// One source per file that the pattern finds, in order of names; at least one.
    pub files: Vec<Source>,
    /// Namespaces that manifests may name; empty: only our own.
    pub namespaces: Vec<String>,
    /// Whether to delete Secrets that carry the name and that no manifest describes any more.
    pub prune: bool,
    /// What may be done about an object in the way.
    pub conflict: Conflict,
    /// Where it was written.
    pub at: Location,
}

impl ManifestSet {
    /// Name of one of its files in reports, without the folder: every failure tells the folder.
    pub fn label(&self, file: &Source) -> String {
        let file = file.to_string();
        let file = file.rsplit('/').next().unwrap_or_default();
        match &self.name {
            Some(name) => format!("manifests {name}: {file}"),
            None => format!("manifests: {file}"),
        }
    }

    /// The name whose objects are pruned; `None` without `prune`.
    pub fn pruned(&self) -> Option<&str> {
        self.name.as_deref().filter(|_| self.prune)
    }
}

/// Longest value of a label in Kubernetes.
const LONGEST_LABEL: usize = 63;

impl Checker<'_> {
    pub(super) fn manifests(&mut self, written: At<RawManifests>) -> Option<ManifestSet> {
        let at = self.location(&written);
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
            self.useless(&at, "allowUnauthenticated", "`sops`");
        }
        let name = self.set_name(name, prune, &at);
        let given = [
            ("sops", sops.map(|pattern| Some((pattern, true)))),
            ("sealed", sealed.map(|pattern| Some((pattern, false)))),
        ];
        let namespaces = namespaces.iter();
        let namespaces = namespaces.map(|namespace| self.namespace(namespace));
        let namespaces = namespaces.collect();
        let (pattern, is_sops) = self.only(&at, "`manifests`", given)?;
        let files = self.found(&pattern).into_iter().map(|file| {
            if is_sops {
                Source::Sops {
                    format: DocumentFormat::from_file_name(&file),
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
                    at,
                    "`prune` needs a `name`, by which it knows the Secrets that came from here",
                    "add `name: …`; another set of this configuration may not have the same",
                );
            }
            return None;
        };
        let name = self.object_name(&written, "the name of the manifests");
        if name.len() > LONGEST_LABEL {
            self.problem(
                &written,
                format!("`{name}` is too long for a label"),
                "use at most 63 characters",
            );
        }
        Some(name)
    }

    /// The files of a pattern. `*` may stand in the last part only, so that the folder shows which
    /// files are read.
    fn found(&mut self, written: &At<Shown>) -> Vec<PathBuf> {
        let path = self.path(written);
        let at = self.location(written);
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        if folder.to_string_lossy().contains('*') {
            self.problem(
                &at,
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
                &at,
                format!("no file is called {}", path.display()),
                "the path starts at this configuration's folder; name files that are there, or \
                 remove this entry",
            );
        }
        files.unwrap_or_default()
    }

    /// The files of a folder whose names match a pattern; `None` after a problem, when the folder
    /// cannot be listed.
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
                    at,
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
