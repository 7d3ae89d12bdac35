//! Sources and what is taken from them.

use std::path::Path;

use super::super::at::{At, Shown};
use super::super::raw::{RawDocumentFormat, RawEncoding, RawFrom, RawVersion};
use super::super::{DocumentFormat, Encoding, From, Location, Source, VaultRead};
use super::{Checker, DEFAULT_SERVER};

impl Checker<'_> {
    pub(super) fn from(&mut self, written: At<RawFrom>) -> Option<From> {
        let at = self.at(&written);
        let RawFrom {
            vault,
            server,
            version,
            write,
            age,
            sops,
            allow_unauthenticated,
            sealed,
            sealed_secret,
            format,
            secret,
            prefix,
            pick,
            rename,
            r#override,
            optional,
            encoding,
            flatten,
        } = written.value;
        let only_vault =
            vault.is_none() && (server.is_some() || version.is_some() || write.is_some());
        if only_vault {
            self.problem(
                at.clone(),
                "`server`, `version` and `write` are of use only beside `vault`",
                "remove them",
            );
        }
        if age.is_none() && sops.is_none() && format.is_some() {
            self.problem(
                at.clone(),
                "`format` is of use only beside a file",
                "remove it",
            );
        }
        let mut sources = Vec::new();
        if let Some(path) = vault {
            let place = self.at(&path);
            let text = self.text(&path);
            let read = self.vault_read(&text, &place, server.map(|server| server.value.0));
            let version = version.and_then(|version| self.version(version));
            let write = write.map(|write| serde_json::Value::from_iter(write.value).to_string());
            let whole = |read| {
                Source::Vault(VaultRead {
                    version,
                    write,
                    ..read
                })
            };
            sources.push(read.map(whole));
        }
        if allow_unauthenticated && sops.is_none() {
            self.problem(
                at.clone(),
                "`allowUnauthenticated` is of use only beside `sops`",
                "remove it",
            );
        }
        if let Some(file) = age {
            let path = self.path(&file);
            let format = document_format(format.as_ref(), &path);
            sources.push(Some(Source::Age { file: path, format }));
        }
        if let Some(file) = sops {
            let path = self.path(&file);
            sources.push(Some(Source::Sops {
                format: document_format(format.as_ref(), &path),
                file: path,
                allow_unauthenticated,
                commit: None,
            }));
        }
        if let Some(written) = sealed {
            sources.push(Some(self.sealed(&written)));
        }
        if let Some(object) = sealed_secret {
            sources.push(Some(Source::SealedObject(self.secret_ref(object))));
        }
        if let Some(secret) = secret {
            sources.push(Some(Source::Secret(self.secret_ref(secret))));
        }
        let source = self.only(
            &at,
            "a source",
            "vault, sops, sealed, sealedSecret, age, secret",
            sources,
        );
        let pick = pick.iter().map(|path| self.name(path, "this field"));
        let pick = pick.collect();
        let rename = rename.0.iter();
        let rename = rename.map(|(old, new)| (old.clone(), self.name(new, "the new name")));
        let rename = rename.collect();
        Some(From {
            source: source?,
            prefix: prefix.0,
            pick,
            rename,
            overrides: r#override,
            optional,
            encoding: encoding.map(|encoding| match encoding {
                RawEncoding::Json => Encoding::Json,
                RawEncoding::Base64 => Encoding::Base64,
            }),
            flatten: flatten.map(|joiner| joiner.value.0),
            at,
        })
    }

    fn version(&mut self, written: At<RawVersion>) -> Option<u64> {
        let at = self.at(&written);
        let hint = "name one that is there, or leave `version` out for the newest";
        let version = match written.value {
            RawVersion::Number(version) => version,
            RawVersion::Variable(value) => {
                let before = self.problems.len();
                let text = self.text(&At {
                    value: Shown(value),
                    line: written.line,
                    column: written.column,
                });
                let parsed = text.trim().parse();
                if parsed.is_err() && self.problems.len() == before {
                    let what = "the version is no whole number once its variable is filled in";
                    self.problem(at.clone(), what, hint);
                }
                parsed.ok()?
            }
        };
        if version == 0 {
            self.problem(at, "no secret has a version 0: the first is 1", hint);
        }
        Some(version)
    }

    fn sealed(&mut self, written: &At<Shown>) -> Source {
        let text = self.name(written, "this path");
        let (file, object) = match text.rsplit_once('#') {
            Some((file, object)) => (file, Some(object.to_owned())),
            None => (text.as_str(), None),
        };
        Source::Sealed {
            file: self.base.join(file),
            object,
        }
    }

    /// A Vault path in one spelling: without `/v1/` and outer slashes.
    pub(in super::super) fn vault_read(
        &mut self,
        text: &str,
        at: &Location,
        server: Option<String>,
    ) -> Option<VaultRead> {
        let path = text.trim_matches('/');
        let (path, whole) = match path.strip_prefix("v1/") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let unsafe_path = path.is_empty()
            || path.split('/').any(|part| matches!(part, "" | "." | ".."))
            || path
                .chars()
                .any(|c| c.is_control() || matches!(c, '?' | '#' | '%' | '\\'));
        if unsafe_path {
            let hint = match path.split_once('#') {
                Some((path, field)) if !path.is_empty() && !field.is_empty() => {
                    format!("take one field with `pick`: {{vault: {path}, pick: [{field}]}}")
                }
                _ => "write it as `kv/team/app` or `/v1/kv/data/team/app`".to_owned(),
            };
            self.problem(at.clone(), format!("`{text}` is no Vault path"), hint);
            return None;
        }
        Some(VaultRead {
            server: server.unwrap_or_else(|| DEFAULT_SERVER.to_owned()),
            path: path.to_owned(),
            exact: whole && !path.contains("/data/"),
            version: None,
            write: None,
        })
    }
}

/// What was said, or what the name tells: `x.env.age` holds what `x.env` holds.
fn document_format(written: Option<&At<RawDocumentFormat>>, path: &Path) -> DocumentFormat {
    match written.map(|written| written.value) {
        Some(RawDocumentFormat::Dotenv) => DocumentFormat::Dotenv,
        Some(RawDocumentFormat::Json) => DocumentFormat::Json,
        Some(RawDocumentFormat::Yaml) => DocumentFormat::Yaml,
        Some(RawDocumentFormat::Ini) => DocumentFormat::Ini,
        Some(RawDocumentFormat::Raw) => DocumentFormat::Raw,
        None => by_inner_name(path),
    }
}

pub(in super::super) fn by_inner_name(path: &Path) -> DocumentFormat {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let inner = name.strip_suffix(".age").unwrap_or(&name);
    match inner.rsplit('.').next() {
        Some("env") => DocumentFormat::Dotenv,
        Some("json") => DocumentFormat::Json,
        Some("yaml" | "yml") => DocumentFormat::Yaml,
        Some("ini") => DocumentFormat::Ini,
        _ => DocumentFormat::Raw,
    }
}
