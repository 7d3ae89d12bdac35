//! Targets: files, folders, Secrets.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::super::at::{At, Shown};
use super::super::outside::Root;
use super::super::problem::nearest;
use super::super::raw::{RawFile, RawFileFormat, RawFiles, RawRegistry, RawSecret, RawTarget};
use super::super::{
    FileFormat, FileSetTarget, FileTarget, Location, Reflect, Registry, SecretKind, SecretRef,
    SecretTarget, Target,
};
use super::Checker;
use crate::base::artifact::secret;
use crate::base::artifact::{Access, Conflict, MARK, is_provenance};
use crate::base::failure::class_of_reading;

/// What `kubectl create secret` and people call them.
const OTHER_NAMES: [(&str, &str); 4] = [
    ("docker-registry", "dockerconfigjson"),
    ("dockercfg", "dockerconfigjson"),
    ("dockerconfig", "dockerconfigjson"),
    ("generic", "Opaque"),
];

impl Checker<'_> {
    pub(super) fn target(&mut self, written: At<RawTarget>) -> Option<Target> {
        let at = self.at(&written);
        let RawTarget {
            file,
            files,
            secret,
            reflect,
            service_accounts,
        } = written.value;
        if secret.is_none() && !service_accounts.is_empty() {
            self.problem(
                at.clone(),
                "`serviceAccounts` is of use only beside `secret`",
                "remove it",
            );
        }
        let reflect = reflect.and_then(|reflect| self.reflect(reflect, secret.as_ref()));
        if reflect.as_ref().is_some_and(|reflect| !reflect.home) && !service_accounts.is_empty() {
            self.problem(
                at.clone(),
                "with `home: false` there is no Secret for `serviceAccounts` to pull with",
                "remove one of the two",
            );
        }
        let mut targets = Vec::new();
        if let Some(file) = file {
            targets.push(self.file(file));
        }
        if let Some(files) = files {
            targets.push(self.files(files));
        }
        if let Some(secret) = secret {
            let accounts = service_accounts
                .iter()
                .map(|account| self.object_name(account, "the ServiceAccount"))
                .collect();
            targets.push(Some(self.secret(secret, accounts, reflect)));
        }
        self.only(&at, "a target", "file, files, secret", targets)
    }

    fn file(&mut self, written: At<RawFile>) -> Option<Target> {
        let at = self.at(&written);
        let raw = written.value;
        let Some(place) = &raw.path else {
            self.problem(at, "`path` is missing here", "add `path: …`");
            return None;
        };
        let path = self.target_path(place);
        let format = self.file_format(&raw, place, &path, &at);
        let access = Access {
            mode: self.mode(raw.mode.as_ref(), Access::PRIVATE.mode),
            dir_mode: self.mode(raw.dir_mode.as_ref(), Access::PRIVATE.dir_mode),
            uid: raw.uid,
            gid: raw.gid,
            create_dirs: raw.create_dirs,
            require_tmpfs: raw.require_tmpfs,
            adopt: raw.adopt,
            in_place: raw.in_place,
            keep_mode: raw.edit && raw.mode.is_none(),
        };
        Some(Target::File(FileTarget {
            path,
            format: format?,
            access,
            at,
        }))
    }

    fn files(&mut self, written: At<RawFiles>) -> Option<Target> {
        let at = self.at(&written);
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
            self.problem(at, "`dir` is missing here", "add `dir: …`");
            return None;
        };
        let access = Access {
            mode: self.mode(mode.as_ref(), Access::PRIVATE.mode),
            dir_mode: self.mode(dir_mode.as_ref(), Access::PRIVATE.dir_mode),
            uid,
            gid,
            create_dirs,
            require_tmpfs,
            ..Access::PRIVATE
        };
        Some(Target::Files(FileSetTarget {
            dir: self.target_path(&place),
            access,
            at,
        }))
    }

    /// A path that is written to; with `--root` it must lie beneath.
    pub(in super::super) fn target_path(&mut self, written: &At<Shown>) -> PathBuf {
        let path = self.path(written);
        if let Some(root) = self.outside.root
            && !is_beneath(&path, root)
        {
            let at = self.at(written);
            self.problem(
                at,
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
                let at = self.at(written);
                self.problem(
                    at,
                    format!("`{}` is no mode for a secret", &*written.value),
                    "write it as in \"0440\"; it may not be writable by others",
                );
                usual
            }
        }
    }

    fn file_format(
        &mut self,
        raw: &RawFile,
        place: &At<Shown>,
        path: &Path,
        at: &Location,
    ) -> Option<FileFormat> {
        let format = match (&raw.format, by_name(path)) {
            (Some(format), _) => format.value,
            (None, _) if raw.template.is_some() => RawFileFormat::Template,
            (None, Some(format)) => format,
            (None, None) => {
                let at = self.at(place);
                self.problem(
                    at,
                    "the name of this file does not tell its format",
                    "add `format:` with dotenv, json, yaml, properties, raw or template",
                );
                return None;
            }
        };
        let dotenv = matches!(format, RawFileFormat::Dotenv);
        let useless = [
            (raw.edit && !dotenv, "edit", "dotenv"),
            (
                raw.as_strings && !matches!(format, RawFileFormat::Json),
                "asStrings",
                "json",
            ),
            (
                raw.field.is_some() && !matches!(format, RawFileFormat::Raw),
                "field",
                "raw",
            ),
            (
                raw.template.is_some() && !matches!(format, RawFileFormat::Template),
                "template",
                "template",
            ),
        ];
        for (_, option, of) in useless.into_iter().filter(|(wrong, ..)| *wrong) {
            self.problem(
                at.clone(),
                format!("`{option}` is of use only with `format: {of}`"),
                "remove it",
            );
        }
        Some(match format {
            RawFileFormat::Dotenv => FileFormat::Dotenv { edit: raw.edit },
            RawFileFormat::Json => FileFormat::Json {
                as_strings: raw.as_strings,
            },
            RawFileFormat::Yaml => FileFormat::Yaml,
            RawFileFormat::Properties => FileFormat::Properties,
            RawFileFormat::Raw => FileFormat::Raw {
                field: raw
                    .field
                    .as_ref()
                    .map(|field| self.name(field, "the field")),
            },
            RawFileFormat::Template => self.template(raw.template.as_ref(), at)?,
        })
    }

    fn template(&mut self, written: Option<&At<Shown>>, at: &Location) -> Option<FileFormat> {
        let Some(file) = written else {
            self.problem(
                at.clone(),
                "`template` is missing here",
                "add `template: FILE`",
            );
            return None;
        };
        let path = self.path(file);
        match (self.outside.read)(&path) {
            Ok(text) => Some(FileFormat::Template {
                text,
                name: path.display().to_string(),
            }),
            Err(error) => {
                let at = self.at(file);
                let what = format!("template {} cannot be read: {error}", path.display());
                let hint = "the path starts at this configuration's folder";
                self.report(class_of_reading(&error), at, what, hint);
                None
            }
        }
    }

    fn secret(
        &mut self,
        written: At<RawSecret>,
        service_accounts: Vec<String>,
        reflect: Option<Reflect>,
    ) -> Target {
        let location = self.at(&written);
        let RawSecret {
            name,
            namespace,
            kind,
            registries,
            labels,
            annotations,
            immutable,
            adopt,
            recreate,
            force,
        } = written.value;
        self.no_marks(&location, "label", &labels);
        self.no_marks(&location, "annotation", &annotations);
        let kind = self.secret_kind(kind.as_ref(), registries);
        if immutable && !recreate {
            self.problem(
                location.clone(),
                "an immutable Secret could never follow its source",
                "add `recreate: true`, or leave `immutable` out",
            );
        }
        Target::Secret(SecretTarget {
            at: SecretRef {
                namespace: namespace.map(|namespace| self.namespace(&namespace)),
                name: self.object_name(&name, "the Secret's name"),
            },
            kind,
            labels,
            annotations,
            immutable,
            conflict: Conflict {
                adopt,
                recreate,
                force,
            },
            service_accounts,
            reflect,
            location,
        })
    }

    /// Labels and annotations by which we know whose a Secret is are ours to set.
    pub(in super::super) fn no_marks(
        &mut self,
        at: &Location,
        kind: &str,
        map: &BTreeMap<String, String>,
    ) {
        for key in map.keys().filter(|key| *key == MARK || is_provenance(key)) {
            let what = format!("the {kind} `{key}` is keyferry's own mark of what it may change");
            self.problem(at.clone(), what, "leave it out; other labels are free");
        }
    }

    fn secret_kind(
        &mut self,
        written: Option<&At<Shown>>,
        registries: Vec<At<RawRegistry>>,
    ) -> SecretKind {
        let registries_at = registries.first().map(|first| self.at(first));
        let registries: Vec<Registry> = registries
            .into_iter()
            .map(|registry| {
                let RawRegistry {
                    server,
                    username,
                    password,
                } = registry.value;
                Registry {
                    server: Some(self.name(&server, "the registry's address")),
                    username: self.name(&username, "the field"),
                    password: self.name(&password, "the field"),
                }
            })
            .collect();
        let Some(written) = written else {
            self.no_registries(registries_at);
            return SecretKind::of(secret::OPAQUE);
        };
        let text = self.name(written, "the type");
        let kind = match secret::known_type(&text) {
            Some(secret::PULL) => return SecretKind::DockerConfigJson { registries },
            Some(secret::TLS) => SecretKind::Tls,
            known => SecretKind::of(known.unwrap_or(&text)),
        };
        let at = self.at(written);
        if matches!(
            &kind, SecretKind::Fields(name) if name != secret::OPAQUE && !name.contains('/')
        ) {
            self.problem(
                at.clone(),
                format!("`{text}` is no type of a Secret"),
                match meant_type(&text) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!(
                        "write one of {}, or the full name of another type, with its `/`",
                        secret::short_types().collect::<Vec<_>>().join(", ")
                    ),
                },
            );
        }
        if secret::is_reserved(&text) {
            self.problem(
                at.clone(),
                format!("Secrets of type `{text}` carry rights of their own and are never written"),
                "use another type",
            );
        }
        self.no_registries(registries_at);
        kind
    }

    fn no_registries(&mut self, at: Option<Location>) {
        if let Some(at) = at {
            self.problem(
                at,
                "`registries` is of use only with `type: dockerconfigjson`",
                "add `type: dockerconfigjson` to the Secret, or remove `registries`",
            );
        }
    }
}

fn meant_type(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let other = OTHER_NAMES.iter().find(|(name, _)| *name == text);
    let other = other.map(|(_, meant)| *meant);
    other.or_else(|| nearest(&text, secret::short_types()))
}

fn by_name(path: &Path) -> Option<RawFileFormat> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    match name.rsplit('.').next()? {
        "env" => Some(RawFileFormat::Dotenv),
        "json" => Some(RawFileFormat::Json),
        "yaml" | "yml" => Some(RawFileFormat::Yaml),
        "properties" => Some(RawFileFormat::Properties),
        _ => None,
    }
}

/// Whether a path lies beneath a root, both as they are spelt from the same folder.
fn is_beneath(path: &Path, root: Root<'_>) -> bool {
    let whole = |path: &Path| normal(&root.here.join(path));
    whole(path).starts_with(whole(root.path))
}

/// A path without `.` and, as far as names go, without `..`.
pub(super) fn normal(path: &Path) -> PathBuf {
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
